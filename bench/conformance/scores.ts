/** From the suite's raw results to scores, as its own pages count them. Pure. */

export interface Suite {
  name: string;
  tests: {
    id: string;
    name: string;
    kind?: 'required' | 'optimal' | 'check';
    depends_on?: string[];
    browser_only?: boolean;
  }[];
}

/** `true`, or what kind of failure it was and what it said. */
export type Results = Record<string, true | [kind: string, message: string]>;

type Test = Suite['tests'][number];

export function scores(suites: readonly Suite[], results: Results): { summary: string; failed: string[] } {
  const tests = suites.flatMap((suite) => suite.tests).filter((test) => test.browser_only !== true);
  const byId = new Map(tests.map((test) => [test.id, test]));
  const applies = (test: Test): boolean => {
    const result = results[test.id];
    if (result === undefined || (result !== true && result[0] === 'Setup')) return false;
    return (test.depends_on ?? []).every((id) => {
      const other = byId.get(id);
      return other !== undefined && results[id] === true && applies(other);
    });
  };
  const counted = tests.filter(applies);
  const of = (kind: string) => {
    const these = counted.filter((test) => (test.kind ?? 'required') === kind);
    return `${kind} ${these.filter(({ id }) => results[id] === true).length}/${these.length}`;
  };
  const uncounted = `not counted ${tests.length - counted.length}`;
  const failed = tests
    .filter(({ id }) => results[id] !== true)
    .map((test) => {
      const why = applies(test) ? (test.kind ?? 'required') : 'not counted';
      const result = results[test.id];
      return `${why}  ${test.id}: ${result === undefined || result === true ? 'not run' : result[1]}`;
    });
  return {
    summary: [of('required'), of('optimal'), of('check'), uncounted].join(', '),
    failed: failed.sort(),
  };
}
