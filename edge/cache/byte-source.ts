/** Bytes that a client can be sent while they are read: of a stored body, or of one that is still being fetched. */
import type { Room } from './blocks.ts';

/** A stretch of an open file. */
export interface FilePart {
  file: { readonly fd: number };
  /** Offset of its first byte. */
  first: number;
  length: number;
}

export interface ByteSource {
  /**
   * Bytes from `offset` on, as many as are at hand, at least one; waits for them if need be. Empty at the end.
   * They may lie in `room`, which then belongs to the result until the next call. Throws where the bytes
   * cannot be had: then the client must see a broken transfer, never a short one that looks whole.
   */
  read(offset: number, room: Room): Promise<Buffer>;
  /**
   * From `first` on, and not beyond `last`: a part of a file that may be sent as it is, where there is one; it is good
   * until the next call.
   */
  part?(first: number, last: number): Promise<FilePart | undefined>;
  close(): Promise<void>;
}
