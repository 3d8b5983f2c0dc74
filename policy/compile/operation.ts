import type { Operation, PolicyMatch } from '../../mesh/model/authorization-policy.ts';
import { asListed } from './joined-headers.ts';
import { escapeRegex } from './regex.ts';
import type { Stance } from './stance.ts';
import { type OperationLeaf, type Tree, any, leaf } from './test.ts';
import { textOf } from './value.ts';

type Test = Tree<OperationLeaf>;

function header(name: string, ignoreCase: boolean, value: PolicyMatch): Test {
  return leaf({ test: 'header', name, ignoreCase, text: value.kind === 'present' ? value : textOf(value) });
}

/** One line of the header has one of these values. Where a match denies, lines that Envoy has joined count one by one as well. */
export function headers(name: string, values: readonly PolicyMatch[], stance: Stance): Test {
  return any(
    values.flatMap((value) => {
      const test = header(name, false, value);
      const text = stance === 'refuse' ? asListed(name, value) : undefined;
      return text === undefined ? [test] : [test, leaf({ test: 'header', name, ignoreCase: false, text })];
    }),
  );
}

/**
 * The Host or :authority, in any case. A port in it never helps the caller: where a match denies, `a.example` and
 * `*.example` match `a.example:8080` as well; where a match grants, they do not.
 */
export function hosts(values: readonly PolicyMatch[], stance: Stance): Test {
  return any(
    values.flatMap((value) => {
      const test = header(':authority', true, value);
      const tolerant =
        stance === 'refuse' &&
        (value.kind === 'exact' || value.kind === 'suffix') &&
        value.value !== '' &&
        !value.value.includes(':');
      if (!tolerant) return [test];
      const before = value.kind === 'suffix' ? '.*' : '';
      return [
        test,
        leaf({
          test: 'header',
          name: ':authority',
          ignoreCase: false,
          text: { kind: 'regex', value: `(?is)${before}${escapeRegex(value.value)}:[0-9]*` },
        }),
      ];
    }),
  );
}

export function methods(values: readonly PolicyMatch[]): Test {
  return any(values.map((value) => header(':method', false, value)));
}

export function paths(values: readonly PolicyMatch[]): Test {
  return any(
    values.map((value) =>
      value.kind === 'present' ? header(':path', false, value) : leaf({ test: 'path', text: textOf(value) }),
    ),
  );
}

export function ports(values: readonly number[]): Test {
  return any(values.map((port) => leaf({ test: 'destination-port', port })));
}

/** True when the operation asks for what only HTTP has. */
export function asksForHttp(operation: Operation): boolean {
  return [operation.hosts, operation.methods, operation.paths].some((field) => field.values.length + field.notValues.length > 0);
}
