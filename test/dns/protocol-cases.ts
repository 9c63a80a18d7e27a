/** All of them: see README.md for what asks for each. */
import type { Case } from './cases/case.ts';
import { clients } from './cases/clients.ts';
import { compliance } from './cases/compliance.ts';
import { edns } from './cases/edns.ts';
import { malformed } from './cases/malformed.ts';
import { names } from './cases/names.ts';
import { sizes } from './cases/sizes.ts';

export const CASES: Case[] = [...names, ...clients, ...edns, ...sizes, ...compliance, ...malformed];
