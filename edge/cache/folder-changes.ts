/** What a process did to the folder that others of its edge share, until they are told; nothing where there are none. */
import type { DiskRoom } from './disk-room.ts';
import type { FolderChange, FolderShare } from './shared-folder.ts';

export class FolderChanges {
  readonly #share: FolderShare | 'owner' | undefined;
  readonly #room: DiskRoom;
  #keys: string[] = [];
  #gone: string[] = [];

  constructor(share: FolderShare | 'owner' | undefined, room: DiskRoom) {
    this.#share = share;
    this.#room = room;
  }

  /** Something else is stored below this key now. */
  changed(key: string): void {
    if (this.#share !== undefined) this.#keys.push(key);
  }

  /** The file of this object is gone. */
  gone(id: string): void {
    if (this.#share !== undefined) this.#gone.push(id);
  }

  /** Since the last call. */
  take(): Pick<FolderChange, 'keys' | 'gone'> {
    const [keys, gone] = [this.#keys, this.#gone];
    this.#keys = [];
    this.#gone = [];
    return { keys, gone };
  }

  /** To the owner of the folder, which asks by itself for what it did. */
  tell(): void {
    if (this.#share === undefined || this.#share === 'owner') return;
    const { fillingBytes: filling } = this.#room;
    this.#share.tell({ ...this.take(), stored: this.#room.take(), filling });
  }
}
