/** A folder of manifests, and a state folder that this operator alone writes. */
import { mkdir } from 'node:fs/promises';
import type { ObjectRef } from '../../../contract/kinds/metadata.ts';
import { type StateFolder, stateFolder } from '../../../contract/state-folder.ts';
import { removeFile } from '../../../lib/atomic-file.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import { copyFiles } from '../../acme/copy-files.ts';
import type { Backing } from '../../backing.ts';
import { vaultFolder } from '../../certificates/vault-folder.ts';
import { epochFile } from '../../publish/epoch-file.ts';
import { secretFolder } from '../../secrets/secret-folder.ts';
import { statusFiles } from '../../status/status-files.ts';
import { caState } from '../../trust/ca.ts';
import { guardedFile } from '../../trust/guarded-file.ts';
import { joinTokenRecords } from '../../trust/join-tokens.ts';
import { acceptedFiles } from './accepted-files.ts';
import { folderSource } from './folder-source.ts';

interface FolderBackingOptions {
  folder: string;
  state: string;
  clock: Clock;
  log: Log;
}

export async function folderBacking(options: FolderBackingOptions): Promise<Backing> {
  const { folder, clock, log } = options;
  const state = stateFolder(options.state);
  await mkdir(state.jobs, { recursive: true });
  const vault = vaultFolder(state);
  return {
    source: folderSource({ folder, jobs: state.jobs, samples: state.samples, clock, log }),
    stores: {
      accepted: acceptedFiles(state, log),
      status: statusFiles(state, log),
      epoch: epochFile(state.epoch),
      vault,
    },
    secrets: secretFolder(state, clock, log),
    writeCopy: copyFiles(state),
    trust: {
      ca: guardedFile(state.ca, caState),
      tokens: guardedFile(state.joinTokens, joinTokenRecords),
    },
    expire: (ref) => void removeOwnJob(state, ref, log),
    stop: async () => {},
  };
}

/** A job that `weir purge` made lies in a file of its own name; one in the user's folder is not ours to remove. */
async function removeOwnJob(state: StateFolder, { namespace, name }: ObjectRef, log: Log): Promise<void> {
  try {
    await removeFile(state.jobFile(namespace, name));
  } catch (error) {
    log.warn({ err: error, name }, 'a finished job is not removed');
  }
}
