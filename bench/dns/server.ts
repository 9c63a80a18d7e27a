/** A server of the benchmark. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { World } from './world.ts';

export interface Server {
  name: string;
  /** Writes what it needs into the folder; returns the command to run. */
  prepare(folder: string, port: number, world: World, healthPort: number): Promise<string[]>;
  /** Whether it answers; by default, whether it gives two addresses for a name. */
  ready?: (port: number, name: string) => Promise<boolean>;
}

const START_MS = 1_000;

/** Sends packets back and looks at nothing: below it no server of this kind can come. */
export function bare(name: string, program: string): Server {
  return {
    name,
    prepare: async (_, port) => [process.execPath, join(import.meta.dirname, program), String(port)],
    ready: async () => sleep(START_MS, true),
  };
}
