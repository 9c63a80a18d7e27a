/** As much of XML as a DASH manifest needs: elements, attributes, text. Pure; what is malformed ends the reading. */

export interface Element {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: Element[];
  text: string;
}

/** An end or start tag with its attributes, or text. */
const TOKEN = /<(\/?)([\w:.-]+)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>|([^<]+)/g;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;

/** The root element, or nothing. Comments, processing instructions and DTDs are left out. */
export function readXml(text: string): Element | undefined {
  const document: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [document];
  const plain = text.replace(/<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<![^>]*>/g, '');
  for (const [, end, name = '', attributes = '', empty, content] of plain.matchAll(TOKEN)) {
    const inner = open.at(-1);
    if (inner === undefined) break;
    if (content !== undefined) inner.text += unescapeText(content);
    else if (end) open.pop();
    else {
      const element: Element = { name, attributes: readAttributes(attributes), children: [], text: '' };
      inner.children.push(element);
      if (!empty) open.push(element);
    }
  }
  return document.children[0];
}

function readAttributes(text: string): Record<string, string> {
  const pairs = [...text.matchAll(ATTRIBUTE)].map(
    ([, name = '', double, single]) => [name, unescapeText(double ?? single ?? '')] as const,
  );
  return Object.fromEntries(pairs);
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeText(text: string): string {
  return text.replace(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
}
