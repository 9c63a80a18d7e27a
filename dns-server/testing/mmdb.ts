/**
 * Writes small MMDB files (MaxMind DB file format 2.0), so that tests go through the real reader with any schema. The
 * tree is one for IPv6; IPv4 networks lie in ::/96 of it, as in MaxMind's own files.
 */
import { bitAt, parseIp } from '../geo/ip-address.ts';

type Value = string | number | Value[] | { [name: string]: Value };

interface TreeNode {
  children: [TreeNode | undefined, TreeNode | undefined];
  /** Where the network's record begins in the data section. */
  data: number | undefined;
}

export function mmdbOf(networks: Record<string, Value>): Buffer {
  const root = newNode();
  const records: Buffer[] = [];
  let offset = 0;
  for (const [network, record] of Object.entries(networks)) {
    const encoded = encode(record);
    insert(root, network, offset);
    records.push(encoded);
    offset += encoded.length;
  }
  const nodes = inOrder(root);
  return Buffer.concat([
    ...nodes.map((node) => encodeNode(node, nodes)),
    Buffer.alloc(SEPARATOR_BYTES),
    ...records,
    Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'),
    metadata(nodes.length),
  ]);
}

/** libmaxminddb takes each number in the type that the format names for it, and in no other. */
function metadata(nodeCount: number): Buffer {
  const fields: [string, Buffer][] = [
    ['node_count', encode(nodeCount)],
    ['record_size', unsigned(TYPE.UINT16, 24)],
    ['ip_version', unsigned(TYPE.UINT16, 6)],
    ['database_type', encode('test')],
    ['languages', encode(['en'])],
    ['binary_format_major_version', unsigned(TYPE.UINT16, 2)],
    ['binary_format_minor_version', unsigned(TYPE.UINT16, 0)],
    ['build_epoch', unsigned(TYPE.UINT64, 1)],
    ['description', encode({ en: 'test' })],
  ];
  const encoded = fields.flatMap(([name, value]) => [encode(name), value]);
  return Buffer.concat([control(TYPE.MAP, fields.length), ...encoded]);
}

const SEPARATOR_BYTES = 16;

const newNode = (): TreeNode => ({ children: [undefined, undefined], data: undefined });

function insert(root: TreeNode, network: string, data: number): void {
  const [text = '', length = ''] = network.split('/');
  const address = parseIp(text);
  if (address === undefined) throw new Error(`${network} is no network`);
  const bytes =
    address.version === 6 ? address.bytes : Uint8Array.of(...new Uint8Array(12), ...address.bytes);
  const bits = Number(length) + (address.version === 6 ? 0 : 96);
  let node = root;
  for (let depth = 0; depth < bits; depth++) {
    const side = bitAt(bytes, depth);
    const child = node.children[side] ?? newNode();
    node.children[side] = child;
    node = child;
  }
  node.data = data;
}

/** The nodes that fork; a node's place is its number. */
function inOrder(root: TreeNode): TreeNode[] {
  const nodes = [root];
  for (const node of nodes) {
    nodes.push(
      ...node.children
        .filter((child) => child !== undefined && child.data === undefined)
        .map((child) => child ?? newNode()),
    );
  }
  return nodes;
}

function encodeNode({ children }: TreeNode, nodes: readonly TreeNode[]): Buffer {
  const out = Buffer.alloc(6);
  for (const [side, child] of children.entries()) {
    const nothing = nodes.length;
    const value =
      child === undefined
        ? nothing
        : child.data === undefined
          ? nodes.indexOf(child)
          : nothing + SEPARATOR_BYTES + child.data;
    out.writeUIntBE(value, side * 3, 3);
  }
  return out;
}

const TYPE = { STRING: 2, UINT16: 5, UINT32: 6, MAP: 7, UINT64: 9, ARRAY: 11 } as const;

function encode(value: Value): Buffer {
  if (typeof value === 'string')
    return Buffer.concat([control(TYPE.STRING, Buffer.byteLength(value)), Buffer.from(value)]);
  if (typeof value === 'number') return unsigned(TYPE.UINT32, value);
  if (Array.isArray(value)) return Buffer.concat([control(TYPE.ARRAY, value.length), ...value.map(encode)]);
  const fields = Object.entries(value);
  return Buffer.concat([
    control(TYPE.MAP, fields.length),
    ...fields.flatMap(([name, field]) => [encode(name), encode(field)]),
  ]);
}

function unsigned(type: (typeof TYPE)['UINT16' | 'UINT32' | 'UINT64'], value: number): Buffer {
  const sizes = { [TYPE.UINT16]: 2, [TYPE.UINT32]: 4, [TYPE.UINT64]: 8 };
  const number = Buffer.alloc(sizes[type]);
  // Of eight bytes the upper ones stay 0.
  number.writeUIntBE(value, Math.max(0, sizes[type] - 4), Math.min(4, sizes[type]));
  return Buffer.concat([control(type, number.length), number]);
}

/** Type and size; types above 7 stand in a byte of their own. Sizes of 29 and more are not needed here. */
function control(type: number, size: number): Buffer {
  if (size > 28) throw new Error('too long for this writer');
  return type <= 7 ? Buffer.of((type << 5) | size) : Buffer.of(size, type - 7);
}
