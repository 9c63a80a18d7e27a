/** Accept-Encoding (RFC 9110 12.5.3), reduced to what keeps the number of variants small. Pure. */

/** Does this client take the coding? `identity` is taken unless it is refused by name or by `*`. */
export function accepts(header: string | undefined, coding: string): boolean {
  if (header === undefined) return coding === 'identity';
  const weights = new Map(
    header.split(',').map((item) => {
      const [name = '', ...parameters] = item.toLowerCase().split(';');
      const quality = parameters.map((text) => /^\s*q\s*=\s*([\d.]+)/.exec(text)?.[1]).find(Boolean);
      return [name.trim(), Number(quality ?? 1)] as const;
    }),
  );
  const alias = coding === 'gzip' ? weights.get('x-gzip') : undefined;
  const weight = weights.get(coding) ?? alias ?? weights.get('*');
  return weight === undefined ? coding === 'identity' : weight > 0;
}

/** What the origin is asked for: gzip where the client takes it, else plain bytes. Two variants, not dozens. */
export function normalAcceptEncoding(header: string | undefined): 'gzip' | 'identity' {
  return header !== undefined && accepts(header, 'gzip') ? 'gzip' : 'identity';
}
