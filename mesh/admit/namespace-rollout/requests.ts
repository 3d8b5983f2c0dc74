import { isTemplate, templateProblem } from '../authorization-policy/path-template.ts';
import { listed, type ReadItem } from '../authorization-policy/pattern.ts';
import type { Field } from '../field.ts';
import { shorten } from '../node.ts';

const MOST = 100;
const MOST_METHOD = 64;
const MOST_PATH = 2048;
/** What records write for what differs from call to call. */
const HOLE = /\{(?:id|rest|other)\}/g;
/** Some of what records always write as `{id}`. */
const IDENTIFIER = /^(?:\d+|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})$/i;

/** Methods of accepted calls, with the meaning that AuthorizationPolicy gives them. */
export function methods(field: Field): readonly string[] {
  return values(field, (item, written) => {
    if (written.length > MOST_METHOD) item.error('out-of-range', `is longer than ${MOST_METHOD} characters`, 'as GET, or PUT');
    else if (!/^[A-Z*]/.test(written) || /[^A-Z*-]/.test(written))
      item.error(
        'bad-method',
        `"${shorten(written)}" is no method`,
        'methods are compared with their case: as GET; of gRPC all are POST',
      );
    else if (strayWildcard(written))
      item.error('bad-method', `"${shorten(written)}" has a * in the middle`, 'one * may stand first or last');
    return written;
  });
}

/** Paths of accepted calls: with the meaning that AuthorizationPolicy gives them, or as records have them. */
export function paths(field: Field): readonly string[] {
  return values(field, (item, written) => {
    const [problem, hint] = problemOf(written) ?? [];
    if (problem !== undefined) item.error('bad-path', problem, hint);
    return written;
  });
}

function values(field: Field, read: ReadItem<string>): readonly string[] {
  const found = listed(field, read);
  if (found.length > MOST)
    field.error('out-of-range', `${found.length} values are too many`, `write at most ${MOST}; one may end in *`);
  return found;
}

const strayWildcard = (written: string): boolean => written.slice(1, -1).includes('*') || /^\*.*\*$/.test(written);

function problemOf(written: string): readonly [problem: string, hint: string] | undefined {
  if (written.length > MOST_PATH) return [`is longer than ${MOST_PATH} characters`, 'end it in *'];
  const shown = `"${shorten(written)}"`;
  if (!/^[/*]/.test(written) && written !== '{other}')
    return [`${shown} begins with neither / nor *`, 'as /orders, /orders/* or */export'];
  if (/[?#]/.test(written)) return [`${shown} has a query or a fragment`, 'paths are compared without: remove it'];
  const plain = written.replaceAll(HOLE, '');
  const known = 'a template has whole segments {*} and {**}; records have {id}, {rest} and {other}';
  if (isTemplate(plain)) {
    if (plain !== written) return [`${shown} mixes a template of policies and one of records`, known];
    const problem = templateProblem(written);
    if (problem !== undefined) return [problem, known];
  } else if (/[{}]/.test(plain)) return [`${shown} has other braces than templates`, known];
  else if (strayWildcard(written)) return [`${shown} has a * in the middle`, 'a * counts first or last; one segment is {*}'];
  const identifier = written.split('/').find((segment) => IDENTIFIER.test(segment));
  if (identifier === undefined) return undefined;
  return [
    `records have {id} for identifiers such as ${identifier}, so this accepts nobody`,
    `write ${shorten(written.replace(identifier, '{id}'))}`,
  ];
}
