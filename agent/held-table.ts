/** The node table in force: rows that come are merged with those held, written down, and handed on. */
import { EMPTY_TABLE, mergeTables, type NodeTable } from '../contract/plans/node-table.ts';
import { compareRevisions, formatRevision, type Revision } from '../contract/plans/revision.ts';
import { latest } from '../lib/latest.ts';
import type { Log } from '../lib/log.ts';

interface HeldTableOptions {
  files: {
    readTable: () => Promise<NodeTable>;
    writeTable: (whole: NodeTable, changed: NodeTable) => Promise<void>;
  };
  onTable: (table: NodeTable) => void;
  log: Log;
}

export class HeldTable {
  readonly #options: HeldTableOptions;
  readonly #taking = latest<void>(() => this.#take());
  /** Of the newest table that came; what is not in force yet of it lies in `#pending`. */
  #offered: NodeTable['version'] = EMPTY_TABLE.version;
  #pending: NodeTable = EMPTY_TABLE;
  #held: NodeTable = EMPTY_TABLE;

  constructor(options: HeldTableOptions) {
    this.#options = options;
  }

  get held(): NodeTable {
    return this.#held;
  }

  async load(): Promise<void> {
    this.#held = await this.#options.files.readTable();
    this.#options.onTable(this.#held);
  }

  /** Rows that wait for the disk are merged with those that come meanwhile: none is passed over. */
  offer(newer: NodeTable): void {
    if (compareRevisions(newer.version, this.#offered) < 0) return;
    this.#offered = newer.version;
    this.#pending = mergeTables(this.#pending, newer);
    this.#taking.offer();
  }

  /** Rows that lead from the table `base` to a newer one. Throws where that one never came. */
  offerRows(base: Revision, newer: NodeTable): void {
    const isOld = compareRevisions(newer.version, this.#offered) < 0;
    if (!isOld && compareRevisions(base, this.#offered) !== 0)
      throw new Error(`rows after table ${formatRevision(base)}, which never came`);
    this.offer(newer);
  }

  idle(): Promise<void> {
    return this.#taking.idle();
  }

  async #take(): Promise<void> {
    const newer = this.#pending;
    this.#pending = EMPTY_TABLE;
    if (compareRevisions(newer.version, this.#held.version) < 0) return;
    const merged = mergeTables(this.#held, newer);
    try {
      await this.#options.files.writeTable(merged, newer);
    } catch (error) {
      this.#options.log.error({ err: error }, 'node table is not written; it is in force until a restart');
    }
    this.#held = merged;
    this.#options.onTable(merged);
  }
}
