/**
 * Body files that are open: each once, for all who read it. A block is compared with its checksum when it is read for
 * the first time; the file may be sent as it is once all of the wanted blocks were. What a disk does to a block after
 * that, while the file stays open, is not seen (decision 0032).
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { ByteSource } from './byte-source.ts';
import { BLOCK_BYTES, CorruptBody, type StoredObject } from './stored-object.ts';

/** Files that stay open though nobody reads them. */
const KEPT_OPEN = 512;

const NOTHING = Buffer.alloc(0);

/** A file that the kernel may be given to send from. Who sends from it holds it meanwhile. */
export interface HeldFile {
  readonly fd: number;
  hold(): void;
  letGo(): void;
  /** It could not be sent. */
  doubt(): void;
}

export class OpenBodies {
  readonly #openFile: (object: StoredObject) => Promise<FileHandle>;
  readonly #onCloseFault: (error: unknown) => void;
  /** In the order of their last use. */
  readonly #open = new Map<string, OpenBody>();
  readonly #opening = new Map<string, Promise<OpenBody>>();

  constructor(
    openFile: (object: StoredObject) => Promise<FileHandle>,
    onCloseFault: (error: unknown) => void,
  ) {
    this.#openFile = openFile;
    this.#onCloseFault = onCloseFault;
  }

  /** Opens it if need be. Who takes it must let it go. */
  async take(object: StoredObject): Promise<OpenBody> {
    const open = this.#open.get(object.id) ?? (await (this.#opening.get(object.id) ?? this.#openNew(object)));
    open.hold();
    return open;
  }

  /** One that is open, and all of whose blocks from `first` to `last` are known to be whole. Held by nobody. */
  whole({ id }: StoredObject, first: number, last: number): OpenBody | undefined {
    const open = this.#open.get(id);
    if (!open?.isWhole(first, last)) return undefined;
    this.#open.delete(id);
    this.#open.set(id, open);
    return open;
  }

  /** Its object is gone: it is closed when the last reader has left. */
  forget(id: string): void {
    this.#opening.delete(id);
    const open = this.#open.get(id);
    this.#open.delete(id);
    open?.letGo();
  }

  close(): void {
    for (const id of this.#open.keys()) this.forget(id);
  }

  #openNew(object: StoredObject): Promise<OpenBody> {
    const { id } = object;
    const opening = this.#openFile(object).then((handle) => {
      const open = new OpenBody(handle, object, this.#onCloseFault);
      if (this.#opening.get(id) === opening) {
        this.#opening.delete(id);
        this.#keep(id, open);
      } else {
        // Forgotten meanwhile: it is for those who wait for it, and who hold it before the next turn of the loop.
        setImmediate(() => open.letGo());
      }
      return open;
    });
    this.#opening.set(id, opening);
    opening.catch(() => this.#opening.delete(id));
    return opening;
  }

  #keep(id: string, open: OpenBody): void {
    this.#open.set(id, open);
    const [oldest] = this.#open.keys();
    if (this.#open.size > KEPT_OPEN && oldest !== undefined) this.forget(oldest);
  }
}

export class OpenBody implements HeldFile {
  readonly #handle: FileHandle;
  readonly #object: StoredObject;
  readonly #onCloseFault: (error: unknown) => void;
  /** By block: it was compared with its checksum. */
  readonly #compared: Uint8Array;
  #left: number;
  /** One of those who keep it open. */
  #holds = 1;

  constructor(handle: FileHandle, object: StoredObject, onCloseFault: (error: unknown) => void) {
    this.#handle = handle;
    this.#object = object;
    this.#onCloseFault = onCloseFault;
    this.#left = object.checksums.length;
    this.#compared = new Uint8Array(this.#left);
  }

  get fd(): number {
    return this.#handle.fd;
  }

  isWhole(first: number, last: number): boolean {
    return this.#wholeFrom(first, last) === last - first + 1;
  }

  /** How many bytes from `first` on, up to `last`, were compared. */
  #wholeFrom(first: number, last: number): number {
    if (this.#left === 0) return last - first + 1;
    let index = Math.floor(first / BLOCK_BYTES);
    while (index * BLOCK_BYTES <= last && this.#compared[index] === 1) index++;
    return Math.max(0, Math.min(last + 1, index * BLOCK_BYTES) - first);
  }

  /** Block `index` into `buffer`; the result is the filled part of it. Throws CorruptBody. */
  async block(index: number, buffer: Buffer): Promise<Buffer> {
    const start = index * BLOCK_BYTES;
    const length = Math.min(BLOCK_BYTES, this.#object.size - start);
    const { bytesRead } = await this.#handle.read(buffer, 0, length, start);
    const block = buffer.subarray(0, bytesRead);
    if (bytesRead !== length || crc32(block) !== (this.#object.checksums[index] ?? 0)) {
      throw new CorruptBody(`body ${this.#object.id} is damaged in block ${index}`);
    }
    if (this.#compared[index] === 0) this.#left--;
    this.#compared[index] = 1;
    return block;
  }

  /** For one who holds it; `onDamage` hears what is found while it is read, and says what is thrown. */
  source(onDamage: (error: unknown) => Error): ByteSource {
    const { size } = this.#object;
    return {
      read: async (offset, room) => {
        if (offset >= size) return NOTHING;
        const block = await this.block(Math.floor(offset / BLOCK_BYTES), room.take()).catch(
          (error: unknown) => {
            throw onDamage(error);
          },
        );
        return block.subarray(offset % BLOCK_BYTES);
      },
      part: async (first, last) => {
        const length = this.#wholeFrom(first, Math.min(last, size - 1));
        return length > 0 ? { file: this, first, length } : undefined;
      },
      close: async () => this.letGo(),
    };
  }

  /** What was compared before counts no more. */
  doubt(): void {
    this.#compared.fill(0);
    this.#left = this.#compared.length;
  }

  hold(): void {
    this.#holds++;
  }

  letGo(): void {
    if (--this.#holds === 0) this.#handle.close().catch(this.#onCloseFault);
  }
}
