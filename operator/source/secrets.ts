/** What a source found where a `secretRef` leads. Values of Secrets go no further than operator/certificates. */

/** Its entries as text, or why there are none. Pending: it is being read for the first time. */
export type FoundSecret =
  | { data: Readonly<Record<string, string>> }
  | { fault: 'SecretNotFound' | 'SecretForbidden' | 'SecretInvalid' | 'SecretPending'; message: string };

/** `file`: where the resource stands that refers to it; a folder may have the Secret's files beside that. */
export type FindSecret = (namespace: string, name: string, file: string) => FoundSecret;

export const noSecrets: FindSecret = (namespace, name) => ({
  fault: 'SecretNotFound',
  message: `there is no Secret ${namespace}/${name}`,
});
