/**
 * Header blocks (RFC 7541). They are read with the state that the client's own writer has; they are written without any:
 * nothing that is written here touches the table of whoever reads it, so two writers can speak on one connection.
 */
import { huffmanText } from './huffman.ts';
import { type Field, STATIC_TABLE } from './static-table.ts';

/** RFC 9113 6.5.2: bytes of a table, where nobody said another number. We do not. */
export const TABLE_BYTES = 4_096;
/** RFC 7541 4.1: what a field counts beside its name and value. */
const FIELD_OVERHEAD = 32;

export interface FieldBlock {
  /** name, value, name, … in their order; only up to the field with which they became too many bytes. */
  fields: readonly string[];
  /** Of all of them, as RFC 9113 6.5.2 counts. */
  bytes: number;
  /** It was read from the static table and itself alone, or from a table that it left as it was. */
  isRepeatable: boolean;
}

export class HpackReader {
  /** The newest first. */
  readonly #table: Field[] = [];
  readonly #mostBytes: number;
  #tableBytes = 0;
  #tableLimit = TABLE_BYTES;

  /** `mostBytes` of fields are kept: a byte of a block can stand for four thousand of them. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Nothing where the block is broken, and with it the connection (RFC 9113 4.3). */
  read(block: Buffer): FieldBlock | undefined {
    const input = new Input(block);
    const fields: string[] = [];
    let bytes = 0;
    let isRepeatable = true;
    while (input.left > 0) {
      const first = input.peek();
      let field: Field | undefined;
      if (first >= 0x80) field = this.#field(input.number(7));
      else if (first >= 0x40) {
        field = this.#literal(input, 6);
        if (field !== undefined) this.#add(field);
        isRepeatable = false;
      } else if (first >= 0x20) {
        // RFC 7541 4.2: only at the begin of a block.
        if (fields.length > 0 || !this.#limit(input.number(5))) return undefined;
        isRepeatable = false;
        continue;
      } else field = this.#literal(input, 4);
      if (field === undefined || input.broken) return undefined;
      const [name, value] = field;
      if (bytes <= this.#mostBytes) fields.push(name, value);
      bytes += name.length + value.length + FIELD_OVERHEAD;
    }
    return input.broken ? undefined : { fields, bytes, isRepeatable };
  }

  #field(index: number): Field | undefined {
    return index <= STATIC_TABLE.length
      ? STATIC_TABLE[index - 1]
      : this.#table[index - STATIC_TABLE.length - 1];
  }

  #literal(input: Input, bits: number): Field | undefined {
    const index = input.number(bits);
    const name = index === 0 ? input.text() : this.#field(index)?.[0];
    const value = input.text();
    return name === undefined || value === undefined ? undefined : [name, value];
  }

  #add(field: Field): void {
    this.#table.unshift(field);
    this.#tableBytes += sizeOf(field);
    this.#evict();
  }

  #limit(bytes: number): boolean {
    if (bytes > TABLE_BYTES) return false;
    this.#tableLimit = bytes;
    this.#evict();
    return true;
  }

  /** RFC 7541 4.4: a field that is larger than the table empties it, and is not in it. */
  #evict(): void {
    while (this.#tableBytes > this.#tableLimit) {
      const oldest = this.#table.pop();
      if (oldest === undefined) return;
      this.#tableBytes -= sizeOf(oldest);
    }
  }
}

const sizeOf = ([name, value]: Field) => name.length + value.length + FIELD_OVERHEAD;

/** Reads on behind the end as nothing, and knows that it did. */
class Input {
  broken = false;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  peek(): number {
    return this.#bytes[this.#at] ?? 0;
  }

  /** RFC 7541 5.1; four bytes behind the first are more than any number here needs. */
  number(bits: number): number {
    const most = 2 ** bits - 1;
    let value = this.#byte() & most;
    if (value < most) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    this.broken = true;
    return 0;
  }

  /** RFC 7541 5.2. */
  text(): string | undefined {
    const isHuffman = this.peek() >= 0x80;
    const length = this.number(7);
    if (length > this.left) this.broken = true;
    if (this.broken) return undefined;
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return isHuffman ? huffmanText(bytes) : bytes.toString('latin1');
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) this.broken = true;
    return byte ?? 0;
  }
}

const STATIC_FIELDS = new Map(STATIC_TABLE.map(([name, value], index) => [`${name} ${value}`, index + 1]));
/** The first of each name. */
const STATIC_NAMES = new Map(STATIC_TABLE.map(([name], index) => [name, index + 1] as const).toReversed());

/** name, value, name, …: by number where the static table has it, else as a literal that no table takes. */
export function fieldBlock(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [name = '', value = ''] = [fields[index], fields[index + 1]];
    const known = value === '' ? undefined : STATIC_FIELDS.get(`${name} ${value}`);
    if (known !== undefined) parts.push(number(known, 7, 0x80));
    else {
      const named = STATIC_NAMES.get(name);
      parts.push(number(named ?? 0, 4, 0));
      if (named === undefined) parts.push(...text(name));
      parts.push(...text(value));
    }
  }
  return Buffer.concat(parts);
}

function text(value: string): Buffer[] {
  const bytes = Buffer.from(value, 'latin1');
  return [number(bytes.length, 7, 0), bytes];
}

/** RFC 7541 5.1. */
function number(value: number, bits: number, first: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  let left = value - most;
  for (; left >= 128; left >>>= 7) bytes.push((left & 127) | 128);
  return Buffer.from([...bytes, left]);
}
