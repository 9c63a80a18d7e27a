/** weir.yaml to the settings in force: those before it, where it does not read. Pure. */
import { type WeirConfig, weirConfig } from '../../contract/config/weir-config.ts';
import type { Problem } from '../../contract/problem.ts';
import { memo } from '../../lib/memo.ts';
import type { SourceDocument } from '../source/source.ts';
import { problemsOf } from './read-document.ts';

/** Settings that did not change are read once, and stay the very same: much depends on them. */
const readConfig = memo(({ value }: SourceDocument) => weirConfig.safeParse(value));

export function admitConfig(
  document: SourceDocument | undefined,
  before: WeirConfig | undefined,
  problems: Problem[],
): WeirConfig | undefined {
  if (!document) {
    const message = 'the folder has no weir.yaml at its root';
    problems.push({ file: 'weir.yaml', line: 1, path: '', reason: 'Missing', message });
    return before;
  }
  if (document.syntaxError) {
    const { line, message } = document.syntaxError;
    problems.push({ file: document.file, line, path: '', reason: 'SyntaxError', message });
    return before;
  }
  const parsed = readConfig(document);
  if (parsed.success) return parsed.data;
  problems.push(...problemsOf(weirConfig, parsed.error, document));
  return before;
}
