/** The thread in which geo tables are compiled: reads the files, compiles, posts one result, and ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { type CompiledGeo, compileGeo } from './compile.ts';
import { type GeoFault, type GeoFiles, readGeoFiles } from './geo-files.ts';
import type { GeoRules } from './geo-sources.ts';

export interface GeoJob {
  files: GeoFiles;
  rules: GeoRules;
}

export interface GeoOutcome {
  compiled: CompiledGeo;
  faults: GeoFault[];
}

export async function runGeoJob({ files, rules }: GeoJob): Promise<GeoOutcome> {
  const { data, faults } = await readGeoFiles(files, rules);
  return { compiled: compileGeo(data, rules), faults };
}

// `workerData` is the job that geo-tables.ts gave this thread.
if (parentPort) parentPort.postMessage(await runGeoJob(workerData as GeoJob));
