import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { PathNormalization } from '../../mesh/model/mesh-config.ts';
import { finding, quoted } from './finding.ts';
import { listsOf } from './fields.ts';
import type { Survey } from './survey.ts';

type Problem = readonly [code: string, why: string, hint: string];

/** What a path never has once Envoy has normalised it. */
function impossible(value: string, mode: PathNormalization): string | undefined {
  if (mode === 'NONE') return undefined;
  if (/(^|\/)\.\.?(\/|$)/.test(value)) return 'the segments "." and ".." are resolved before';
  if (mode !== 'BASE' && value.includes('//')) return `slashes are merged before (${mode})`;
  if (mode === 'DECODE_AND_MERGE_SLASHES' && /%2f|%5c/i.test(value)) return `slashes are decoded before (${mode})`;
  return undefined;
}

function problemOf(value: string, mode: PathNormalization): Problem | undefined {
  if (value.startsWith('*')) return undefined;
  if (!value.startsWith('/') && !value.startsWith('{'))
    return ['path-without-slash', 'does not begin with "/", as every path does', `write ${quoted(`/${value}`)}`];
  const query = value.search(/[?#]/);
  if (query >= 0)
    return [
      'path-with-query',
      'holds a query or a fragment, and paths are compared without them',
      `write ${quoted(value.slice(0, query))}`,
    ];
  const why = impossible(value, mode);
  return why === undefined
    ? undefined
    : ['path-never-seen', `is no path that policy sees: ${why}`, 'write the path as it is after that'];
}

/** Paths that no request can have. */
export function impossiblePaths({ policies, snapshot }: Survey): readonly Diagnostic[] {
  const { pathNormalization } = snapshot.meshConfig;
  return policies.flatMap((policy) =>
    listsOf(policy)
      .filter(({ attribute }) => attribute === 'paths')
      .flatMap((list) =>
        list.values.flatMap((value, at) => {
          const problem = problemOf(value, pathNormalization);
          if (problem === undefined) return [];
          const [code, why, hint] = problem;
          const effect = list.negated ? 'it excludes nothing' : 'it never matches';
          return [finding(policy.meta, `${list.path}[${at}]`, 'warning', code, `${quoted(value)} ${why}; ${effect}`, hint)];
        }),
      ),
  );
}
