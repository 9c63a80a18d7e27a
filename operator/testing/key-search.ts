/** For tests: a private key is looked for, in whatever form somebody may have let it slip. */
import { createPrivateKey } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../../lib/atomic-file.ts';

/** As PEM's lines, base64 and raw bytes of its DER, and as the number itself. */
export function needlesOf(pem: string): Buffer[] {
  const key = createPrivateKey(pem);
  const der = key.export({ type: 'pkcs8', format: 'der' });
  const { d = '' } = key.export({ format: 'jwk' });
  const scalar = Buffer.from(d, 'base64url');
  // Three lengths of what stands before it: base64 has its bytes in one of three forms.
  const base64 = [0, 1, 2].map((before) =>
    Buffer.concat([Buffer.alloc(before), scalar])
      .toString('base64')
      .slice(4, -4),
  );
  const lines = pem.split('\n').filter((line) => line.length > 40 && !line.startsWith('-----'));
  const texts = [...lines.map((line) => line.trim()), ...base64, d, scalar.toString('hex')];
  return [der, scalar, ...texts.map((text) => Buffer.from(text))];
}

export const holds = (bytes: Buffer, needles: readonly Buffer[]) =>
  needles.some((needle) => bytes.includes(needle));

export async function filesBelow(folder: string): Promise<string[]> {
  const rows = await readdir(folder, { withFileTypes: true, recursive: true });
  return rows.filter((row) => row.isFile()).map((row) => join(row.parentPath, row.name));
}

/** One that is being written under another name is gone in the next moment. */
export async function filesHolding(needles: readonly Buffer[], folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of await filesBelow(folder)) {
    const bytes = await readFile(file).catch((error: unknown) => {
      if (isMissing(error)) return Buffer.alloc(0);
      throw error;
    });
    if (holds(bytes, needles)) found.push(file);
  }
  return found;
}
