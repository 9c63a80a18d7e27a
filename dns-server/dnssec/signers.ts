/**
 * The signers of the zones that have keys, as the files of keys come, change and go. A signer is kept, with its
 * signatures, as long as its file says the same.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ZoneKeys } from '../../contract/dns/zone-keys.ts';
import { keyOfName } from '../wire/name.ts';
import { createZoneSigner, type ZoneSigner } from './zone-signer.ts';

export class Signers {
  readonly #onSign: () => void;
  #held = new Map<string, { keys: ZoneKeys; signer: ZoneSigner }>();
  /** By the zone's key, see wire/name.ts. */
  byZone: ReadonlyMap<string, ZoneSigner> = new Map();

  constructor(onSign: () => void) {
    this.#onSign = onSign;
  }

  use(files: readonly ZoneKeys[]): void {
    const before = this.#held;
    this.#held = new Map(
      files.map((keys) => {
        const zone = keyOfName(keys.zone);
        const held = before.get(zone);
        if (held && isDeepStrictEqual(held.keys.keys, keys.keys)) return [zone, held];
        return [zone, { keys, signer: createZoneSigner(zone, keys, this.#onSign) }];
      }),
    );
    this.byZone = new Map([...this.#held].map(([zone, { signer }]) => [zone, signer]));
  }
}
