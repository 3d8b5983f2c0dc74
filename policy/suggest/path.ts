import type { PathNormalization } from '../../mesh/model/mesh-config.ts';
import { normalizedPath } from '../evaluate/path.ts';

/** What a policy says of a path that was seen. */
export interface PolicyPath {
  /** Undefined: any path. */
  readonly path: string | undefined;
  /** What of it was not seen in this very form, in words. */
  readonly generalised: string | undefined;
}

/** What records say for parts that they leave out: `{id}` of an identifier, `{rest}` of what follows many segments, `{other}` of one path too many. */
const LEFT_OUT = /\{(?:id|rest|other)\}/;
const HOLE = /\{(id|rest|other)\}/g;
/** Survives every way of normalization. */
const HELD = /~gatehouse-(id|rest|other)~/g;
/** RFC 3986 pchar, as path templates take literals. */
const LITERAL = /^[A-Za-z0-9\-._~!$&'()+,;:@=%]*$/;

/** As Envoy hands it to policies. */
export function normalized(recorded: string, mode: PathNormalization): string {
  const held = recorded.replaceAll(HOLE, '~gatehouse-$1~');
  return normalizedPath(held, mode).replaceAll(HELD, '{$1}');
}

/**
 * The narrowest way in which a policy can say a path of the records: as it is, or with `{*}` for segments that stand for several (whole
 * segments only, so that `order-{id}` is one, too) or that a policy would read as a wildcard.
 */
export function policyPath(recorded: string, mode: PathNormalization): PolicyPath {
  const path = normalized(recorded, mode);
  if (path === '' || path === '{other}')
    return {
      path: undefined,
      generalised: path === '' ? 'any path, as none was sent' : 'any path, as too many were seen to record',
    };
  if (!/[{}*]/.test(path)) return { path, generalised: undefined };
  const segments: string[] = [];
  let open = false;
  for (const segment of path.split('/')) {
    if (segment === '{rest}' || segment === '{other}') {
      open = true;
      break;
    }
    segments.push(/[{}*]/.test(segment) ? '{*}' : segment);
  }
  const hasTemplate = segments.includes('{*}');
  if (!hasTemplate && open) {
    const prefix = `${segments.join('/')}/*`;
    return { path: prefix, generalised: `${prefix}: whatever follows` };
  }
  // In a template every literal has to be one that Envoy takes.
  const template = segments.map((one) => (one === '{*}' || LITERAL.test(one) ? one : '{*}'));
  const written = [...template, ...(open ? ['{**}'] : [])].join('/');
  const what = LEFT_OUT.test(path) ? 'records have identifiers there' : 'a policy cannot write what was sent there';
  return { path: written, generalised: `${written}: {*} is any one segment${open ? ' and {**} whatever follows' : ''}; ${what}` };
}
