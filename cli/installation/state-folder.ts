/**
 * What a command knows of a running installation: asked of the operator, and read from the state folder when that does
 * not answer. Which of the two it was is said in one line.
 */
import type { Command } from 'commander';
import { type WeirConfig, weirConfig } from '../../contract/config/weir-config.ts';
import { DEFAULT_STATE_FOLDER, type StateFolder, stateFolder } from '../../contract/state-folder.ts';
import type { ResourceView } from '../../contract/stream/operator-api.ts';
import { readFileIfThere } from '../../lib/atomic-file.ts';
import { createLog } from '../../lib/log.ts';
import { messageOf } from '../../lib/message-of.ts';
import { readYaml } from '../../lib/yaml-file.ts';
import { acceptedFiles } from '../../operator/source/folder/accepted-files.ts';
import { statusFiles } from '../../operator/status/status-files.ts';
import { resourcesView } from '../../operator/status/view.ts';
import { CommandError, EXIT } from '../exit-codes.ts';
import { type OperatorClient, operatorClient } from './operator-client.ts';

export interface StateOptions {
  state: string;
  operator?: string;
}

export function addStateOptions(command: Command): Command {
  return command
    .option('--state <dir>', 'state folder of the installation', DEFAULT_STATE_FOLDER)
    .option('--operator <url>', 'where the operator is (default: what the state folder’s settings say)');
}

/** Only faults of the folder are worth a line here. */
export const commandLog = () => createLog('weir', {}, 2);

export interface InstallationState {
  state: StateFolder;
  config: WeirConfig | undefined;
  operator: OperatorClient;
}

export async function openState({ state: root, operator }: StateOptions): Promise<InstallationState> {
  const state = stateFolder(root);
  const config = await readYaml(state.config, (value) => weirConfig.parse(value), commandLog());
  if (!config && (await readFileIfThere(state.token)) === undefined) {
    throw new CommandError(
      EXIT.unreachable,
      `${root} is no state folder of a Weir that ran; name the right one with --state, or run \`weir standalone\``,
    );
  }
  const url = operator ?? `https://${config?.listen.operator ?? '127.0.0.1:8700'}`;
  return { state, config, operator: operatorClient(url, state) };
}

/** `ask` on the operator, else `read` on the disk. */
export async function askOrRead<T>(
  { state, operator }: InstallationState,
  ask: (operator: OperatorClient) => Promise<T>,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await ask(operator);
  } catch (error) {
    const why = messageOf(error);
    if (!told.has(state))
      process.stderr.write(`weir: the operator does not answer (${why}); reading ${state.root}\n`);
    told.add(state);
    return read();
  }
}

/** A command may ask more than once; it says this once. */
const told = new WeakSet<StateFolder>();

export function readResources(installation: InstallationState): Promise<ResourceView[]> {
  return askOrRead(
    installation,
    async (operator) => (await operator.resources()).resources,
    () => resourcesOnDisk(installation.state),
  );
}

export async function resourcesOnDisk(state: StateFolder): Promise<ResourceView[]> {
  const log = commandLog();
  const [accepted, statuses] = await Promise.all([
    acceptedFiles(state, log).load(),
    statusFiles(state, log).load(),
  ]);
  const admission = {
    config: accepted.config,
    snapshot: { domains: [], nodes: [], jobs: [], certificates: [] },
    problems: [],
    accepted,
    quarantined: new Map(),
  };
  return resourcesView(admission, statuses).resources;
}
