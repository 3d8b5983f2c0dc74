import { type Hostname, parseHostname, resolveHostname } from '../model/hostname.ts';
import type { Visibility } from '../model/service.ts';
import type { Context } from './context.ts';
import { type Field, itemsOf } from './field.ts';
import { shorten } from './node.ts';
import { requiredText } from './scalar.ts';

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function isNamespaceName(name: string): boolean {
  return NAMESPACE.test(name);
}

/** A host that stands for the Service of that name in the object's namespace, unless it has a dot. Undefined when wrong (reported). */
export function hostname(field: Field, context: Context, addresses: 'allowed' | 'refused' = 'refused'): Hostname | undefined {
  const written = requiredText(field, 'name a Service, or a host with its domain');
  if (written === '') return undefined;
  const found = resolveHostname(
    written.endsWith('.') && !written.startsWith('*') ? written.slice(0, -1) : written,
    context.meta.namespace,
    context.meshConfig.clusterDomain,
  );
  if (found === undefined) {
    field.error(
      'bad-host',
      `"${shorten(written)}" is no host name`,
      'letters, digits and "-" between dots; a wildcard only as the whole first label, as *.example.com',
    );
  }
  // RFC 3696, section 2: a top-level domain is not all digits, so this is an address.
  else if (addresses === 'refused' && /(^|\.)\d+$/.test(found))
    field.error('bad-host', `"${shorten(written)}" is no host name`, 'name a Service; for an address write a ServiceEntry');
  return found;
}

/** A host as written: a wildcard or a name, never expanded. */
export function plainHostname(field: Field): Hostname | undefined {
  const written = requiredText(field);
  if (written === '') return undefined;
  const found = parseHostname(written);
  if (found === undefined) {
    field.error(
      'bad-host',
      `"${shorten(written)}" is no host name`,
      'letters, digits and "-" between dots; a wildcard only as the whole first label, as *.example.com',
    );
  }
  return found;
}

/** `exportTo`: `.` is the object's own namespace, `*` all; absent means what the mesh says for objects of the kind, else all. */
export function visibility(field: Field, context: Context): Visibility {
  if (!field.given) return unsaid(context);
  const names: string[] = [];
  let all = false;
  for (const item of itemsOf(field)) {
    const name = requiredText(item);
    if (name === '') continue;
    const owner = name === '.' ? context.meta.namespace : name;
    if (names.includes(owner)) item.error('duplicate', `"${shorten(name)}" is given twice`, 'remove one');
    names.push(owner);
    if (name === '*') all = true;
    else if (name !== '.' && name !== '~' && !isNamespaceName(name))
      item.error('bad-namespace', `"${shorten(name)}" is no namespace`, 'use a namespace name, "." for this one or "*" for all');
  }
  if (names.length > 1 && names.includes('~'))
    field.error('contradiction', '"~" (no one) cannot stand beside others', 'remove the others or the "~"');
  if (all) {
    if (names.length > 1) field.error('contradiction', '"*" (all) cannot stand beside others', 'remove the others or the "*"');
    return ALL;
  }
  if (names.length === 0) return ALL;
  return {
    kind: 'namespaces',
    namespaces: names.filter((name) => name !== '~'),
  };
}

/** What holds for an object that does not say where it may be seen. */
export function unsaid({ meta, meshConfig }: Context): Visibility {
  const said = meshConfig.defaults?.exportTo;
  switch (meta.kind) {
    case 'Service':
    case 'ServiceEntry':
      return said?.service ?? ALL;
    case 'VirtualService':
      return said?.virtualService ?? ALL;
    case 'DestinationRule':
      return said?.destinationRule ?? ALL;
    default:
      return ALL;
  }
}

const ALL: Visibility = Object.freeze({ kind: 'all' });
