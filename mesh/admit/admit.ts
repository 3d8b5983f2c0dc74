import type { Diagnostic } from '../model/diagnostic.ts';
import { isClusterScoped } from '../model/gateway-api-kinds.ts';
import type { Kind } from '../model/object.ts';
import type { Context } from './context.ts';
import { closest } from './closest.ts';
import type { Document } from './document.ts';
import { Field, fieldsOf } from './field.ts';
import { deepFreeze } from './freeze.ts';
import { dispatch, kindHere, VERSIONS } from './kinds.ts';
import type { Admitted, Refused } from './mesh-object.ts';
import { metadata } from './metadata.ts';
import { type Node, shorten } from './node.ts';
import { isStrict, type ReadOptions, readObject } from './read-object.ts';
import type { Reference } from './reference.ts';
import { Report } from './report.ts';
import { requiredText } from './scalar.ts';

/** What became of one document. `ignored` objects are no concern of the mesh. */
export interface Admission {
  readonly admitted: readonly Admitted[];
  readonly refused: readonly Refused[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Admits each object by itself; objects are checked against each other in the snapshot. */
export function admit(documents: readonly Document[], options: ReadOptions): Admission {
  const all = documents.map((document) => admitDocument(document, options));
  return {
    admitted: all.flatMap((one) => one.admitted),
    refused: all.flatMap((one) => one.refused),
    diagnostics: all.flatMap((one) => one.diagnostics),
  };
}

const TOP = ['apiVersion', 'kind', 'metadata', 'spec', 'status'] as const;

/** Kinds of which an object without a spec means something. */
const MAY_SAY_NOTHING: ReadonlySet<Kind> = new Set<Kind>(['AuthorizationPolicy', 'PeerAuthentication', 'RequestAuthentication']);

export function admitDocument(document: Document, options: ReadOptions): Admission {
  const { node, file, offset } = document;
  const items = listItems(node);
  if (items !== undefined) {
    const all = items.map((item) => admitDocument({ file, offset, node: item }, options));
    return {
      admitted: all.flatMap((one) => one.admitted),
      refused: all.flatMap((one) => one.refused),
      diagnostics: all.flatMap((one) => one.diagnostics),
    };
  }
  const line = node.line + offset;
  const unnamed = new Report(file, undefined, offset);
  const root = new Field(node, '', node.line, unnamed);
  const fields = fieldsOf(root, TOP, 'tolerant');
  const kind = requiredText(fields.kind, 'as kind: VirtualService');
  const apiVersion = requiredText(fields.apiVersion, 'as apiVersion: networking.istio.io/v1');
  if (unnamed.failed) return { admitted: [], refused: [{ key: undefined, file, line }], diagnostics: unnamed.diagnostics };
  const named = dispatch(apiVersion, kind);
  const key = keyOfNode(kind, node, options.defaultNamespace);
  // Of two Gateways of one name in different groups each is in effect.
  const id = keyOfNode(kindHere(apiVersion, kind), node, options.defaultNamespace);
  const report = new Report(file, key, offset);
  const one = (admitted: Admitted | undefined): Admission => ({
    admitted: admitted === undefined ? [] : [admitted],
    refused: admitted === undefined && report.failed ? [{ key: id, file, line }] : [],
    diagnostics: report.diagnostics,
  });
  const { line: kindLine } = fields.kind;
  switch (named.kind) {
    case 'unused':
      return one(undefined);
    case 'not-applied':
      report.add(
        'warning',
        kindLine,
        '',
        'not-yet-applied',
        `${shorten(kind)} (${shorten(apiVersion)}) is not applied yet`,
        'the rest of the mesh is in effect',
      );
      return one(undefined);
    case 'guard':
      report.add(
        'error',
        kindLine,
        '',
        'not-supported',
        `${shorten(kind)} is not supported yet, and may protect something`,
        'use an AuthorizationPolicy, or remove it',
      );
      return one(undefined);
    case 'unknown': {
      const near = closest(kind, Object.keys(VERSIONS));
      report.add(
        'error',
        kindLine,
        'kind',
        'unknown-kind',
        `"${shorten(kind)}" is no kind of ${shorten(apiVersion)}`,
        near === undefined ? undefined : `did you mean ${near}?`,
      );
      return one(undefined);
    }
    case 'other-version':
      report.add(
        'error',
        fields.apiVersion.line,
        'apiVersion',
        'unknown-version',
        `${named.as} is not taken as ${shorten(apiVersion)}`,
        `write ${named.versions[0] ?? ''}`,
      );
      return one(undefined);
    case 'read':
      break;
  }
  const known = fieldsOf(new Field(node, '', node.line, report), TOP, isStrict(named.as) ? 'strict' : 'tolerant');
  const meta = metadata(known.metadata, named.as, apiVersion, { file, line, defaultNamespace: options.defaultNamespace });
  if (isStrict(named.as) && !known.spec.given && !MAY_SAY_NOTHING.has(named.as)) {
    known.spec.error('missing-field', 'must be given', `a ${named.as} says what it wants below spec:`);
  }
  const references: Reference[] = [];
  const context: Context = { meta, meshConfig: options.meshConfig, references };
  const object = readObject(named.as, known.spec, known.status, context, node);
  return one(
    report.failed || id === undefined ? undefined : { key: id, object: deepFreeze(object), file, line, offset, node, references },
  );
}

/** The items of a `List` (or `VirtualServiceList` ...), as `kubectl get -o yaml` writes them. */
export function listItems(node: Node): readonly Node[] | undefined {
  if (node.kind !== 'map') return undefined;
  const kind = node.entries.get('kind')?.value;
  const items = node.entries.get('items')?.value;
  if (kind?.kind !== 'scalar' || typeof kind.value !== 'string' || !kind.value.endsWith('List') || items?.kind !== 'list')
    return undefined;
  return items.items;
}

/** `Kind namespace/name` of an object that may be broken elsewhere; undefined when it has no name. */
export function keyOfNode(kind: string, node: Node, defaultNamespace: string): string | undefined {
  const meta = node.kind === 'map' ? node.entries.get('metadata')?.value : undefined;
  if (meta?.kind !== 'map') return undefined;
  const word = (name: string): string | undefined => {
    const value = meta.entries.get(name)?.value;
    return value?.kind === 'scalar' && typeof value.value === 'string' && value.value !== '' ? shorten(value.value) : undefined;
  };
  const name = word('name');
  if (name === undefined) return undefined;
  return isClusterScoped(kind) ? `${kind} ${name}` : `${shorten(kind)} ${word('namespace') ?? defaultNamespace}/${name}`;
}
