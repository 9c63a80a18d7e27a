/** What a kind is, once: everything else (types, CRDs, reference pages, validation) is derived from it. */
import type { z } from 'zod';

export const GROUP = 'cdn.weir.dev';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;
export const CATEGORY = 'weir';

export interface PrinterColumn {
  name: string;
  /** As Kubernetes reads it: fields, and `[?(@.type=="X")]` on a list. */
  jsonPath: string;
  type?: 'string' | 'integer' | 'boolean' | 'date';
  description: string;
}

export interface KindDefinition {
  kind: 'CdnDomain' | 'EdgeNode' | 'PurgeJob' | 'Certificate';
  plural: string;
  singular: string;
  shortNames: string[];
  scope: 'Namespaced' | 'Cluster';
  description: string;
  spec: z.ZodType;
  status: z.ZodType;
  /** The spec of one object never changes. */
  immutableSpec?: boolean;
  /** Condition types, all set on the first visit. */
  conditionTypes: string[];
  columns: PrinterColumn[];
}

export type KindName = KindDefinition['kind'];
