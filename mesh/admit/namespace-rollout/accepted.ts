import { withoutScheme } from '../../../ca/identity/spiffe-id.ts';
import type { AcceptedCalls } from '../../model/namespace-rollout.ts';
import { isAddressBlock } from '../address.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { oneOf, optionalText, port } from '../scalar.ts';
import { answered } from './answered.ts';
import { workloadName } from './exceptions.ts';
import { methods, paths } from './requests.ts';

const MOST_ACCEPTED = 500;
const MOST_PRINCIPAL = 2048;
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const KINDS = Object.freeze(['PlainText', 'Denied'] as const);

export function accepted(field: Field): readonly AcceptedCalls[] {
  const items = itemsOf(field);
  if (items.length > MOST_ACCEPTED)
    field.error(
      'out-of-range',
      `${items.length} entries are too many`,
      `write at most ${MOST_ACCEPTED}; one may speak of a whole namespace`,
    );
  return items.flatMap((item) => (item.given ? [entry(item)] : []));
}

function entry(item: Field): AcceptedCalls {
  const fields = fieldsOf(item, ['kind', 'from', 'to', 'owner', 'reason', 'until']);
  if (!fields.kind.given)
    fields.kind.error(
      'missing-field',
      'must be given',
      'PlainText: callers without an identity; Denied: calls that policies will refuse',
    );
  const kind = oneOf(fields.kind, KINDS) === 'PlainText' ? 'plain-text' : 'denied';
  const from = fieldsOf(fields.from, ['principal', 'namespace', 'ipBlock']);
  const to = fieldsOf(fields.to, ['workload', 'port', 'methods', 'paths']);
  const read: AcceptedCalls = {
    kind,
    from: { principal: principal(from.principal), namespace: namespace(from.namespace), ipBlock: ipBlock(from.ipBlock) },
    to: {
      workload: to.workload.given ? workloadName(to.workload) : undefined,
      port: port(to.port),
      ...(to.methods.given ? { methods: methods(to.methods) } : {}),
      ...(to.paths.given ? { paths: paths(to.paths) } : {}),
    },
    ...answered(fields),
  };
  if (!Object.values(from).some((one) => one.given) && !item.report.failed)
    fields.from.error(
      'missing-field',
      'names no caller, so that every caller would be accepted',
      'give principal, namespace or ipBlock; ipBlock: 0.0.0.0/0 where any address is meant',
    );
  if (kind === 'plain-text' && from.principal.given)
    from.principal.error(
      'contradiction',
      'callers in plain text have no principal, so this accepts nobody',
      'name them by namespace or ipBlock, or write kind: Denied',
    );
  if (from.principal.given && from.ipBlock.given)
    from.ipBlock.error(
      'contradiction',
      'of callers with an identity no address is kept, so this accepts nobody',
      'remove ipBlock, or write two entries',
    );
  return read;
}

function principal(field: Field): string | undefined {
  const text = optionalText(field);
  if (text === undefined) {
    if (field.given && !field.report.failed) field.error('bad-principal', 'is empty', 'as cluster.local/ns/shop/sa/cart');
    return undefined;
  }
  const written = withoutScheme(text);
  const body = written.replace(/^\*|\*$/, '');
  if (body.includes('*') || body.includes('://') || written.length > MOST_PRINCIPAL)
    field.error(
      'bad-principal',
      `"${shorten(written)}" is no identity`,
      'as cluster.local/ns/shop/sa/cart, without its scheme; one * may stand first or last',
    );
  return written;
}

function namespace(field: Field): string | undefined {
  const written = optionalText(field);
  if (field.given && !NAMESPACE.test(written ?? ''))
    field.error(
      'bad-name',
      `"${shorten(written ?? '')}" is no name of a namespace`,
      'give its name; wildcards are not known here',
    );
  return written;
}

function ipBlock(field: Field): string | undefined {
  const written = optionalText(field);
  if (field.given && (written === undefined || !isAddressBlock(written)))
    field.error('bad-address', `"${shorten(written ?? '')}" is no address or CIDR block`, 'as 10.0.0.0/8 or 2001:db8::1');
  return written;
}
