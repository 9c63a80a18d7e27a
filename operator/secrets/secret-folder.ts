/** Secrets as files of mode 0600 in the state folder. `weir dnssec rollover` asks by a file, too. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateFolder } from '../../contract/state-folder.ts';
import { isMissing, readFileIfThere, removeFile, writeFileAtomic } from '../../lib/atomic-file.ts';
import type { Clock } from '../../lib/clock.ts';
import { latest } from '../../lib/latest.ts';
import type { Log } from '../../lib/log.ts';
import { type AgentSecrets, OtherValue, type SecretValues } from './agent-secrets.ts';

/** People put keys of their own here: seen this late. */
const LOOK_MS = 2_000;

export function secretFolder(state: StateFolder, clock: Clock, log: Log): AgentSecrets {
  const read = async (): Promise<SecretValues> => {
    const names = (await namesIn(state.secrets)).filter((name) => !name.endsWith('.tmp')).sort();
    const rows = await Promise.all(
      names.map(async (name) => [name, await readFileIfThere(join(state.secrets, name))] as const),
    );
    return new Map(rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  };
  return {
    read,
    async write(name, value, before) {
      if ((await readFileIfThere(join(state.secrets, name))) !== before) throw new OtherValue(name);
      await mkdir(state.secrets, { recursive: true, mode: 0o700 });
      await writeFileAtomic(join(state.secrets, name), value, 0o600);
    },
    rolloversAsked: () => namesIn(state.rollovers),
    rolloverBegun: (zone) => removeFile(state.rollover(zone)),
    follow(onValues) {
      let known = '';
      let failed = '';
      const look = latest<void>(async () => {
        try {
          const values = await read();
          const text = JSON.stringify([...values]);
          if (text !== known) onValues(values);
          known = text;
          failed = '';
        } catch (error) {
          if (failed !== String(error)) log.error({ err: error }, 'secrets cannot be read; those held stay');
          failed = String(error);
        }
      });
      look.offer();
      const stop = clock.every(LOOK_MS, () => look.offer());
      return async () => {
        stop();
        await look.idle();
      };
    },
  };
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
