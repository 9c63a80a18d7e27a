/**
 * Purges on the disk tier's index: takes out, or marks as stale, the rows that a ban covers. A slice at a time: a purge
 * of a million objects must not hold the requests that come meanwhile.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Ban } from './bans.ts';
import { covers } from './purge-scope.ts';
import type { StoredObject } from './stored-object.ts';

export const PURGE_SCHEMA = `
  CREATE TABLE tags (
    domain TEXT NOT NULL, tag TEXT NOT NULL, id TEXT NOT NULL REFERENCES objects ON DELETE CASCADE,
    PRIMARY KEY (domain, tag, id)
  ) WITHOUT ROWID;
  CREATE INDEX tags_of ON tags (id);
  CREATE TABLE bans (number INTEGER PRIMARY KEY, scope TEXT NOT NULL, generation INTEGER NOT NULL, stale_at INTEGER);`;

/** Rows for one slice: a few milliseconds of work. */
const SLICE = 200;

/** Where the next slice begins. */
export interface Cursor {
  path: string;
  query: string;
  slice: number;
  id: string;
}

export interface Slice {
  /** What was taken out, or marked. */
  rows: { id: string; domain: string; size: number }[];
  /** Nothing once all is done. */
  next: Cursor | undefined;
}

const START: Cursor = { path: '', query: '', slice: -1, id: '' };

type FindByPath = (domain: string, path: string) => StoredObject[];

export function purgeStatements(db: DatabaseSync, ofPath: FindByPath) {
  const where = {
    everything: 'domain = ?',
    // Paths are in normal form, so all of their characters are below 0x7f.
    prefix: 'domain = ? AND path >= ? AND path < ? || char(127)',
    tag: 'id IN (SELECT id FROM tags WHERE domain = ? AND tag = ?)',
    id: 'id = ?',
  };
  const pick = (condition: string) =>
    `id IN (SELECT id FROM objects WHERE ${condition} AND generation < ? LIMIT ${SLICE})`;
  const unmarked = (condition: string) =>
    `id IN (SELECT id FROM objects WHERE ${condition} AND generation < ? AND (stale_at IS NULL OR stale_at > ?) LIMIT ${SLICE})`;
  const drops = statementsFor(
    (condition) => `DELETE FROM objects WHERE ${pick(condition)} RETURNING id, domain, size`,
  );
  const marks = statementsFor(
    (condition) => `UPDATE objects SET stale_at = ? WHERE ${unmarked(condition)} RETURNING id, domain, size`,
  );
  const statements = {
    page: db.prepare(
      `SELECT id, path, query, slice FROM objects WHERE domain = ? AND (path, query, slice, id) > (?, ?, ?, ?)
       ORDER BY path, query, slice, id LIMIT ${SLICE}`,
    ),
    bans: db.prepare('SELECT * FROM bans ORDER BY number'),
    add: db.prepare('INSERT INTO bans (scope, generation, stale_at) VALUES (?, ?, ?) RETURNING number'),
    remove: db.prepare('DELETE FROM bans WHERE number = ?'),
  };

  function statementsFor(sql: (condition: string) => string) {
    const { everything, prefix, tag, id } = where;
    return {
      everything: db.prepare(sql(everything)),
      prefix: db.prepare(sql(prefix)),
      tag: db.prepare(sql(tag)),
      id: db.prepare(sql(id)),
    };
  }

  function take(by: keyof typeof where, values: readonly string[], { generation, staleAt }: NewBan) {
    const found =
      staleAt === undefined
        ? drops[by].all(...values, generation)
        : marks[by].all(staleAt, ...values, generation, staleAt);
    return found.map((row) => ({ id: String(row.id), domain: String(row.domain), size: Number(row.size) }));
  }

  /** What is left after a slice of what a condition selects shows by whether it was full. */
  function conditional(by: keyof typeof where, values: readonly string[], ban: NewBan): Slice {
    const rows = take(by, values, ban);
    return { rows, next: rows.length < SLICE ? undefined : START };
  }

  function matching({ scope, ...ban }: NewBan, { path, query, slice, id }: Cursor): Slice {
    const page = statements.page.all(scope.domain, path, query, slice, id).map(cursorOf);
    const rows = page
      .filter((row) => covers(scope, { key: { ...NO_KEY, ...row, domain: scope.domain }, tags: [] }))
      .flatMap((row) => take('id', [row.id], { scope, ...ban }));
    return { rows, next: page.length < SLICE ? undefined : page.at(-1) };
  }

  return {
    bans: (): Ban[] =>
      statements.bans.all().map((row) => ({
        number: Number(row.number),
        // Written by `addBan`, by this schema version.
        scope: JSON.parse(String(row.scope)) as Ban['scope'],
        generation: Number(row.generation),
        staleAt: row.stale_at === null ? undefined : Number(row.stale_at),
      })),
    addBan(ban: NewBan): Ban {
      const row = statements.add.get(JSON.stringify(ban.scope), ban.generation, ban.staleAt ?? null);
      return { ...ban, number: Number(row?.number) };
    },
    removeBan: ({ number }: Ban) => void statements.remove.run(number),
    /** The next slice of what a ban covers. Inside of a transaction. */
    workOff(ban: NewBan, from: Cursor = START): Slice {
      const { scope } = ban;
      if (scope.by === 'everything') return conditional('everything', [scope.domain], ban);
      if (scope.by === 'tag') return conditional('tag', [scope.domain, scope.tag], ban);
      if (scope.by === 'regex') return matching(ban, from);
      if (scope.by === 'prefix' && scope.query === '') {
        return conditional('prefix', [scope.domain, scope.path, scope.path], ban);
      }
      const rows = ofPath(scope.domain, scope.path)
        .filter((object) => covers(scope, object))
        .flatMap(({ id }) => take('id', [id], ban));
      return { rows, next: undefined };
    },
  };
}

function cursorOf(row: Record<string, unknown>): Cursor {
  return {
    path: String(row.path),
    query: String(row.query),
    slice: Number(row.slice),
    id: String(row.id),
  };
}

export type NewBan = Omit<Ban, 'number'>;

/** A scope by expression looks at path and query alone. */
const NO_KEY = { mode: 'Keep' };
