/** The parts of weir.yaml that edges are started with; whoever starts one hands them over as JSON. */
import { z } from 'zod';
import { limits } from './limits.ts';

export const edgeSettings = z.strictObject({ limits: limits.prefault({}) });

export type EdgeSettings = z.output<typeof edgeSettings>;
