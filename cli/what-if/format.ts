/** A comparison as text for people. Pure. */
import type { Comparison } from '../../dns-server/compare-plans.ts';
import { textTable } from '../../lib/text-table.ts';

/** Moves that are listed; the others are summed up. */
const MAX_MOVES = 20;

export function comparisonText({ queries, unknown, moved, nodes, moves }: Comparison): string[] {
  const shown = moves.slice(0, MAX_MOVES);
  const rest = moves.slice(MAX_MOVES).reduce((sum, { share }) => sum + share, 0);
  return [
    `${percent(moved)} of ${queries} queries would move to other nodes.`,
    ...(unknown > 0 ? [`${unknown} more are for names that no domain has.`] : []),
    '',
    ...textTable([
      ['NODE', 'BEFORE', 'AFTER'],
      ...nodes.map(({ node, before, after }) => [node, percent(before), percent(after)]),
    ]),
    ...(shown.length > 0
      ? [
          '',
          ...textTable([
            ['FROM', 'TO', 'SHARE'],
            ...shown.map(({ from, to, share }) => [from, to, percent(share)]),
            ...(rest > 0 ? [[`and ${moves.length - MAX_MOVES} more`, '', percent(rest)]] : []),
          ]),
        ]
      : []),
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
