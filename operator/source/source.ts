/**
 * What any source gives: all manifests at one moment, as they stand there. Nothing after admit knows which source it
 * was. A source that cannot be read gives nothing new: what was there before stays.
 */

import type { FindSecret } from './secrets.ts';

/** What tells one object from another of the same name, and one form of it from the next. */
export interface ServerIdentity {
  uid: string;
  generation: number;
  /** RFC 3339. */
  creationTimestamp: string;
}

export interface SourceDocument {
  /** Where it stands, as people know it: a path relative to the root. */
  file: string;
  /** The parsed content, or nothing when it does not parse. */
  value: unknown;
  /** Why it does not parse. */
  syntaxError?: { line: number; message: string };
  /** The line, from 1, of the innermost thing on `path` that exists. */
  line(path: readonly PropertyKey[]): number;
  /** Made by Weir itself (`weir purge`), not by the owner of the folder. */
  ownJob?: boolean;
  /** What the API server made of it; a folder has none, and admit makes one. */
  server?: ServerIdentity;
}

export interface Loaded {
  /** When it was read, RFC 3339. */
  at: string;
  /** weir.yaml, if it is there. */
  config: SourceDocument | undefined;
  /** Sorted by file, then by place in the file. */
  documents: readonly SourceDocument[];
  /** Where `secretRef`s lead; nowhere where it is missing. */
  secrets?: FindSecret;
}

export interface Source {
  /** Reads until `stop`, and hands over each moment that differs from the one before. */
  start(onLoaded: (loaded: Loaded) => void): void;
  stop(): Promise<void>;
}
