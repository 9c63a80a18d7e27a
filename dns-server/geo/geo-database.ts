/** Looks places up in MMDB files, read by `maxmind`: the first database that knows an address tells. */
import maxmind, { type Reader, type Response } from 'maxmind';
import { messageOf } from '../../lib/message-of.ts';
import { formatIp, type IpAddress } from './ip-address.ts';
import { type Place, placeOf } from './place.ts';

export interface Located {
  place: Place | undefined;
  /** Every address that shares this many bits has the same place. */
  length: number;
}

export interface GeoDatabase {
  locate(address: IpAddress): Located;
}

/** Decoded records kept by a reader: most queries come from few networks, and decoding one takes microseconds. */
const CACHED_RECORDS = 20_000;

/** What is needed of a reader; maxmind's is one. */
export type RecordReader = Pick<Reader<Response>, 'getWithPrefixLength'> & {
  metadata: { ipVersion: number };
};

/** Opens the files; one that cannot be read is told to `onFault`, which may throw, and is left out. */
export async function openGeoDatabase(
  paths: readonly string[],
  onFault: (fault: Error) => void,
): Promise<GeoDatabase> {
  const readers = await Promise.all(
    paths.map(async (path) => {
      try {
        return await maxmind.open(path, { cache: { max: CACHED_RECORDS } });
      } catch (error) {
        const why = messageOf(error);
        onFault(new Error(`cannot read the geo database ${path}: ${why}`, { cause: error }));
        return [];
      }
    }),
  );
  return geoDatabase(readers.flat());
}

export function geoDatabase(readers: readonly RecordReader[]): GeoDatabase {
  return {
    locate(address) {
      const text = formatIp(address);
      let length = 0;
      for (const reader of readers) {
        if (reader.metadata.ipVersion === 4 && address.version === 6) continue;
        const [record, bits] = reader.getWithPrefixLength(text);
        // A neighbour that an earlier database knows has another place: all that were asked count.
        length = Math.max(length, bits);
        const place = placeOf(record);
        if (place !== undefined) return { place, length };
      }
      return { place: undefined, length };
    },
  };
}
