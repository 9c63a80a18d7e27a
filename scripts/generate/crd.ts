/** One kind as a CustomResourceDefinition (apiextensions.k8s.io/v1), and as the file that is committed. Pure. */
import { stringify } from 'yaml';
import {
  CATEGORY,
  GROUP,
  type KindDefinition,
  type PrinterColumn,
  VERSION,
} from '../../contract/kinds/kind.ts';
import { filledDefault, type JsonSchema, jsonSchema } from './json-schema.ts';
import { structuralProblems } from './structural.ts';

export interface Crd {
  metadata: { name: string };
  spec: { versions: { name: string; schema: { openAPIV3Schema: JsonSchema } }[] };
}

export const crdFileName = ({ plural }: KindDefinition) => `${GROUP}_${plural}.yaml`;

export function crdFile(kind: KindDefinition): string {
  const schema = rootSchema(kind);
  const problems = structuralProblems(schema);
  if (problems.length > 0) {
    throw new Error(`no API server would take the schema of ${kind.kind}:\n  ${problems.join('\n  ')}`);
  }
  const head = '# Generated from contract/kinds by `npm run generate`. Do not edit.\n';
  // YAML 1.1 is what Kubernetes reads: it quotes `yes`, `on` and the like too.
  return (
    head + stringify(crd(kind, schema), { version: '1.1', lineWidth: 110, aliasDuplicateObjects: false })
  );
}

function crd(kind: KindDefinition, schema: JsonSchema) {
  const { plural, singular, shortNames, scope } = kind;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular,
        shortNames,
        categories: [CATEGORY],
      },
      scope,
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: [...kind.columns.map(column), AGE],
          subresources: { status: {} },
          schema: { openAPIV3Schema: schema },
        },
      ],
    },
  };
}

const AGE = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

function column({ name, type = 'string', jsonPath, description }: PrinterColumn) {
  return { name, type, jsonPath, description };
}

/** The whole object. `apiVersion`, `kind` and `metadata` are the API server's own; only the name's rule is ours. */
export function rootSchema(kind: KindDefinition): JsonSchema {
  const spec = structural(specSchema(kind));
  const status = structural(jsonSchema(kind.status));
  return {
    description: kind.description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: { description: `Always ${GROUP}/${VERSION}.`, type: 'string' },
      kind: { description: `Always ${kind.kind}.`, type: 'string' },
      metadata: { type: 'object' },
      spec: {
        description: 'What is wanted.',
        ...spec,
      },
      status: {
        description: 'What is. Written by Weir.',
        // Without it kstatus (Flux, Helm) takes an object that nobody looked at yet for done.
        default: { observedGeneration: -1 },
        ...status,
      },
    },
    'x-kubernetes-validations': [NAME],
  };
}

/** An object's name becomes a DNS label; Kubernetes itself allows 253 characters and dots. */
const NAME = {
  rule: "self.metadata.name.size() <= 63 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
  message: 'metadata.name is a DNS label: a-z, 0-9 and -, at most 63',
};

/** The spec with the one rule that speaks of two specs, and so is none of zod's. */
export function specSchema(kind: KindDefinition): JsonSchema {
  const schema = jsonSchema(kind.spec);
  if (!kind.immutableSpec) return schema;
  return {
    ...schema,
    'x-kubernetes-validations': [...(schema['x-kubernetes-validations'] ?? []), IMMUTABLE],
  };
}

const IMMUTABLE = { rule: 'self == oldSelf', message: 'the spec cannot be changed; make a new object' };

/** Formats that an API server checks; any other would be kept, and mean nothing. */
const KNOWN_FORMATS = new Set('int32 int64 float double byte date date-time duration password'.split(' '));

/** A schema as an API server wants it, its keys in the order in which people read. */
export function structural(schema: JsonSchema): JsonSchema {
  const { description, type, format, pattern, properties, items, additionalProperties, ...others } = schema;
  const { 'x-words': _words, ...rest } = others;
  const value = filledDefault(schema);
  return {
    ...(description !== undefined && { description }),
    ...(type !== undefined && { type }),
    ...(format !== undefined && KNOWN_FORMATS.has(format) && { format }),
    // `\/` is how JavaScript prints a slash in an expression; no other language needs the backslash.
    ...(pattern !== undefined && { pattern: pattern.replaceAll('\\/', '/') }),
    ...rest,
    ...(value !== undefined && { default: value }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, field]) => [name, structural(field)]),
      ),
    }),
    ...(items && { items: structural(items) }),
    // `false` beside properties is refused; unknown fields are pruned, or refused by strict clients, without it.
    ...(typeof additionalProperties === 'object' && {
      additionalProperties: structural(additionalProperties),
    }),
  };
}
