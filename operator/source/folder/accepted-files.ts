/** The accepted forms on disk (`<state>/accepted/`): what stays in force over a restart when a manifest went bad. */
import { weirConfig } from '../../../contract/config/weir-config.ts';
import type { StateFolder } from '../../../contract/state-folder.ts';
import { removeFile } from '../../../lib/atomic-file.ts';
import { canonicalDigest } from '../../../lib/canonical-json.ts';
import type { Log } from '../../../lib/log.ts';
import { listYaml, readYaml, writeYaml } from '../../../lib/yaml-file.ts';
import { type Accepted, type AcceptedResource, refOf, resourceKey } from '../../admit/snapshot.ts';
import { parseStored, storedDigest, toStored } from '../stored-form.ts';

export interface AcceptedStore {
  load(): Promise<Accepted>;
  /** Resolves when the difference to what was stored before is durable. */
  save(accepted: Accepted): Promise<void>;
}

export function acceptedFiles(state: StateFolder, log: Log): AcceptedStore {
  const digests = new Map<string, string>();
  const paths = new Map<string, string>();
  let configDigest = '';

  const remember = (form: AcceptedResource) => {
    const key = resourceKey(refOf(form.resource));
    digests.set(key, storedDigest(form));
    paths.set(key, state.acceptedFile(refOf(form.resource)));
    return [key, form] as const;
  };

  return {
    async load() {
      const config = await readYaml(state.config, (value) => weirConfig.parse(value), log);
      if (config) configDigest = canonicalDigest(config);
      const files = (await listYaml(state.accepted)).filter((path) => path !== state.config);
      const forms = await Promise.all(files.map((path) => readYaml(path, parseStored, log)));
      return { config, resources: new Map(forms.filter((form) => form !== undefined).map(remember)) };
    },
    async save({ config, resources }) {
      if (config && canonicalDigest(config) !== configDigest) {
        await writeYaml(state.config, config);
        configDigest = canonicalDigest(config);
      }
      for (const [key, form] of resources) {
        if (digests.get(key) === storedDigest(form)) continue;
        await writeYaml(state.acceptedFile(refOf(form.resource)), toStored(form));
        remember(form);
      }
      for (const [key, path] of paths) {
        if (resources.has(key)) continue;
        await removeFile(path);
        paths.delete(key);
        digests.delete(key);
      }
    },
  };
}
