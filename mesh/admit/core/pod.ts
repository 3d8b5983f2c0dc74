import { familiesOf, familyOf } from '../../model/families.ts';
import type { Capture, Instance } from '../../model/workload.ts';
import { isAddress } from '../address.ts';
import type { Context } from '../context.ts';
import { Field, fieldsOf, itemsOf } from '../field.ts';
import { localityOfLabels } from '../locality.ts';
import type { Pod } from '../mesh-object.ts';
import type { Node } from '../node.ts';
import { shorten } from '../node.ts';
import { optionalText, text } from '../scalar.ts';
import { ownerIn } from './owner.ts';
import { podShape } from './pod-shape.ts';

const TLS_MODE = 'security.istio.io/tlsMode';

/** Reads a Pod; `metadata` is read again for the owner, which no other kind has use for. */
export function readPod(spec: Field, status: Field, context: Context, root: Node): Pod {
  const { metadata } = fieldsOf(new Field(root, '', root.line, spec.report), ['metadata'], 'tolerant');
  const { nodeName, hostname } = fieldsOf(spec, ['nodeName', 'hostname'], 'tolerant');
  const { uid } = fieldsOf(metadata, ['uid'], 'tolerant');
  const [node, id] = [text(nodeName), text(uid)];
  const locality = localityOfLabels(context.meta.labels);
  const owner = ownerIn(metadata);
  // A StatefulSet gives each of its Pods its own name as host name.
  const host = optionalText(hostname) ?? (owner?.kind === 'StatefulSet' ? context.meta.name : undefined);
  const placed = {
    ...(node !== '' && { node }),
    ...(id !== '' && { uid: id }),
    ...(host !== undefined && { hostname: host }),
    ...(locality !== undefined && { locality }),
  };
  const shape = podShape(metadata, spec);
  const instance = instanceOf(spec, status, context);
  return { meta: context.meta, owner, ...shape, instance: instance && { ...instance, ...placed } };
}

function instanceOf(spec: Field, status: Field, context: Context): Instance | undefined {
  const { meta } = context;
  const fields = fieldsOf(status, ['podIP', 'podIPs', 'phase', 'conditions'], 'tolerant');
  const address = text(fields.podIP);
  if (address === '') return undefined;
  if (!isAddress(address)) fields.podIP.error('bad-address', `"${shorten(address)}" is no address`, 'as podIP: 10.0.0.7');
  const otherAddress = otherOf(address, fields.podIPs);
  const phase = text(fields.phase);
  if (phase === 'Succeeded' || phase === 'Failed') return undefined;
  return {
    name: meta.name,
    address,
    ...(otherAddress === undefined ? {} : { otherAddress }),
    labels: meta.labels,
    ready: (phase === '' || phase === 'Running') && isReady(fields.conditions),
    meshed: meta.labels[TLS_MODE] === 'istio',
    capture: captureOf(spec, context),
    bindAddress: meta.annotations['gatehouse.dev/bind-address'] ?? (familiesOf({ address }) === 'IPv6' ? '::' : '0.0.0.0'),
  };
}

/** Kubernetes: the first of `podIPs` is `podIP`, and there is one more at most, of the other family. */
function otherOf(address: string, field: Field): string | undefined {
  const all = itemsOf(field).map((item) => text(fieldsOf(item, ['ip'], 'tolerant').ip));
  for (const one of all)
    if (!isAddress(one))
      field.error('bad-address', `"${shorten(one)}" is no address`, 'as podIPs: [{ip: 10.0.0.7}, {ip: "fd00::7"}]');
  return all.find((one) => familyOf(one) !== familyOf(address));
}

/** A Pod without a Ready condition was written by hand and counts as ready. */
function isReady(conditions: Field): boolean {
  for (const item of itemsOf(conditions)) {
    const fields = fieldsOf(item, ['type', 'status'], 'tolerant');
    if (text(fields.type) === 'Ready') return text(fields.status) === 'True';
  }
  return true;
}

function captureOf(spec: Field, context: Context): Capture {
  const { annotations } = context.meta;
  const written = annotations['gatehouse.dev/capture'] ?? 'redirect';
  if (written === 'redirect') return { kind: 'redirect' };
  const appAddress = annotations['gatehouse.dev/app-address'] ?? '';
  if (written !== 'explicit')
    spec.error('unknown-value', `the annotation gatehouse.dev/capture is "${shorten(written)}"`, 'use explicit or redirect');
  else if (!isAddress(appAddress))
    spec.error(
      'bad-address',
      'explicit capture needs the annotation gatehouse.dev/app-address',
      'give the address on which the application listens',
    );
  return { kind: 'explicit', appAddress };
}
