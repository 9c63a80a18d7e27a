/** An explanation as text for people. Pure. */

import type { Explanation } from '../../dns-server/explain-domain.ts';
import { textTable } from '../../lib/text-table.ts';

export function explanationText(explanation: Explanation): string[] {
  const { domain, answer } = explanation;
  return [
    `${domain.hostname}: CdnDomain ${domain.namespace}/${domain.name}, ${domain.cname}, policy ${domain.policy}`,
    '',
    ...textTable([
      ['client', clientText(explanation)],
      ['region', regionText(explanation)],
      ['isp', ispText(explanation)],
      ...shiftRows(explanation),
    ]),
    '',
    ...candidateTable(explanation),
    '',
    ...outcomeNote(explanation),
    `answer  ${answer.type} ${answer.addresses.join(', ') || '(none: NODATA)'}, TTL ${answer.ttl}s, ECS scope /${answer.scope}`,
  ];
}

function clientText({ client: { address, place } }: Explanation): string {
  const where = [place.country, place.subdivision, place.city].filter((part) => part !== undefined);
  return `${address} (${where.length > 0 ? where.join(', ') : 'in no geo database'})`;
}

function regionText({ region: { name, decidedBy, member } }: Explanation): string {
  const because =
    decidedBy === 'default' ? 'the default: no region has this client' : `${decidedBy} ${member}`;
  return `${name} (${because})`;
}

function shiftRows({ shift }: Explanation): string[][] {
  if (shift === 'None') return [];
  return [['shift', shift === 'Moved' ? 'in the share that is moved' : 'not in the share that is moved']];
}

function ispText({ client: { isp } }: Explanation): string {
  return isp ? `AS${isp.asn} ${isp.name}` : 'unknown';
}

function candidateTable({ tiers }: Explanation): string[] {
  const rows = tiers.flatMap((tier) =>
    tier.candidates.map(({ node, region, weight, load, answered, reason, message }) => [
      node,
      [region, tierText(tier)].filter(Boolean).join(' ') || '-',
      load < 1 ? `${weight} x ${load}` : String(weight),
      answered ? 'yes' : 'no',
      [reason, message].filter(Boolean).join(': '),
    ]),
  );
  const numbered = rows.map((row, index) => [String(index + 1), ...row]);
  return rows.length > 0
    ? textTable([['#', 'NODE', 'REGION', 'WEIGHT', 'ANSWERED', 'LEFT OUT, WHY'], ...numbered])
    : ['no node is a candidate'];
}

/** By which rule a candidate stands where it stands; nothing where it is by its region alone. */
function tierText({ by, name, sameIsp }: Explanation['tiers'][number]): string {
  const rules = [
    ...(by === 'Region' ? [] : [`${by.toLowerCase()} ${name}`]),
    ...(sameIsp ? ['same ISP'] : []),
  ];
  return rules.length > 0 ? `(${rules.join(', ')})` : '';
}

function outcomeNote({ outcome }: Explanation): string[] {
  if (outcome === 'AllDown') return ['No candidate is in good health and admitted: all are answered.'];
  return outcome === 'NotYetReady' ? ['No node serves the domain yet.'] : [];
}
