/** The parts of weir.yaml that edges are started with; whoever starts one hands them over as JSON. */
import { z } from 'zod';
import { accessLog } from './access-log.ts';
import { limits } from './limits.ts';

export const edgeSettings = z.strictObject({ limits: limits.prefault({}), accessLog: accessLog.optional() });

export type EdgeSettings = z.output<typeof edgeSettings>;
