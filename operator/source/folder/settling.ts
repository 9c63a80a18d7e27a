/**
 * When a reading of the folder is believed. Editors save in steps: they truncate and write, or rename the old file away
 * and the new one in. A reading between two steps looks like a deletion, and a deleted domain leaves DNS at once. So a
 * change is believed when a second look sees the same, and a file that vanished or is empty when it stays so. Pure.
 */
import { canonicalDigest } from '../../../lib/canonical-json.ts';
import type { ManifestFile } from './read-folder.ts';

/** An editor's steps are closer together than this. */
const CHANGE_SETTLES_MS = 100;
/** Moving the old file away and the new one in may have a person's prompt or a slow disk between them. */
const LOSS_SETTLES_MS = 1_000;

export interface Settling {
  /** What was believed last. */
  believed: { digest: string; files: readonly ManifestFile[] } | undefined;
  /** What was seen since, and when first. */
  pending: { digest: string; since: number } | undefined;
}

export interface Judgement {
  settling: Settling;
  /** To be handed on now. */
  believe: boolean;
  /** Look again after this many milliseconds. */
  lookAgainMs: number | undefined;
}

export const NOTHING_SEEN: Settling = { believed: undefined, pending: undefined };

export function judge(
  { believed, pending }: Settling,
  files: readonly ManifestFile[],
  now: number,
): Judgement {
  const digest = canonicalDigest(files);
  if (believed?.digest === digest) {
    return { settling: { believed, pending: undefined }, believe: false, lookAgainMs: undefined };
  }
  const since = pending?.digest === digest ? pending.since : now;
  const left = since + settlesMs(believed?.files, files) - now;
  if (left > 0)
    return { settling: { believed, pending: { digest, since } }, believe: false, lookAgainMs: left };
  return {
    settling: { believed: { digest, files }, pending: undefined },
    believe: true,
    lookAgainMs: undefined,
  };
}

/** At the start there is nothing that could be lost. */
function settlesMs(before: readonly ManifestFile[] | undefined, after: readonly ManifestFile[]): number {
  if (!before) return 0;
  const filled = new Set(after.filter(hasText).map(({ path }) => path));
  const lost = before.some((file) => hasText(file) && !filled.has(file.path));
  return lost ? LOSS_SETTLES_MS : CHANGE_SETTLES_MS;
}

const hasText = ({ text }: ManifestFile) => text.trim() !== '';
