/** What is to run: the folder admitted once, as the operator will do again and again. */
import { resolve } from 'node:path';
import type { Problem } from '../../contract/problem.ts';
import type { StateFolder } from '../../contract/state-folder.ts';
import type { Log } from '../../lib/log.ts';
import { admit } from '../../operator/admit/admit.ts';
import { acceptedFiles } from '../../operator/source/folder/accepted-files.ts';
import { readDocuments } from '../read-documents.ts';
import { localEdges } from './local-edges.ts';
import type { Installation } from './programs.ts';

export interface Read {
  /** Nothing without valid settings. */
  installation: Installation | undefined;
  problems: Problem[];
  /** EdgeNodes that are on other machines. */
  elsewhere: string[];
}

export async function readInstallation(folder: string, state: StateFolder, log: Log): Promise<Read> {
  const accepted = await acceptedFiles(state, log).load();
  const { config, snapshot, problems } = admit(await readDocuments(folder), accepted);
  if (!config) return { installation: undefined, problems, elsewhere: [] };
  const nodes = snapshot.nodes.map(({ metadata, spec }) => ({ name: metadata.name, spec }));
  const { edges, elsewhere } = await localEdges(nodes);
  return { installation: { folder: resolve(folder), state, config, edges }, problems, elsewhere };
}
