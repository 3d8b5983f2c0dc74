import type { EgressHost, EgressListener } from '../../model/sidecar.ts';
import { parseHostname } from '../../model/hostname.ts';
import { isAddress } from '../address.ts';
import type { Context } from '../context.ts';
import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { isNamespaceName } from '../hosts.ts';
import { shorten } from '../node.ts';
import { oneOf, requiredText, text } from '../scalar.ts';
import { unapplied } from '../unapplied.ts';
import { sidecarPort } from './port.ts';

/** The outbound listeners; the one without a port, which takes the rest, is the last. */
export function egressListeners(field: Field, context: Context): readonly EgressListener[] {
  const items = itemsOf(field).filter((item) => item.given);
  const bound = new Set<string>();
  return items.map((item, at) => {
    const fields = fieldsOf(item, ['port', 'bind', 'captureMode', 'hosts']);
    const bind = text(fields.bind);
    const socket = bind.startsWith('unix://');
    if (bind !== '' && !socket && !isAddress(bind))
      fields.bind.error('bad-address', `"${shorten(bind)}" is no address`, 'as bind: 127.0.0.1');
    const mode = oneOf(fields.captureMode, ['DEFAULT', 'IPTABLES', 'NONE']);
    if (socket && mode === 'IPTABLES')
      fields.captureMode.error('contradiction', 'a Unix socket is not captured', 'remove captureMode');
    if (socket && !fields.port.given) fields.port.error('missing-field', 'a Unix socket needs a port with its protocol');
    if (fields.bind.given && !fields.port.given) fields.bind.error('contradiction', 'needs a port', 'add the port');
    if (!fields.port.given && at < items.length - 1)
      item.error(
        'contradiction',
        'the listener without a port takes all that others leave, so it must be the last',
        'move it down',
      );
    unapplied(fields.bind, 'bind');
    if (mode === 'NONE') unapplied(fields.captureMode, 'captureMode: NONE');
    const port = fields.port.given ? sidecarPort(fields.port, socket) : undefined;
    const key = socket ? bind : port === undefined ? '' : `${bind}:${port.number}`;
    if (key !== '' && bound.has(key)) item.error('duplicate', `${key} is bound twice`, 'keep one listener');
    bound.add(key);
    const hosts = itemsOf(fields.hosts).flatMap((host) => (host.given ? (egressHost(host, context) ?? []) : []));
    if (hosts.length === 0 && !item.report.failed && !importsNothing(fields.hosts))
      fields.hosts.error('missing-field', 'hosts must name what is imported', 'as hosts: ["./*", "istio-system/*"]');
    warnCovered(fields.hosts, hosts);
    if (port?.proxy === true) {
      fields.port.warning(
        'not-yet-applied',
        'an HTTP proxy on a port of its own is not opened yet; its hosts are imported on all their ports',
        'remove the port',
      );
      return { port: undefined, anyPort: true, hosts };
    }
    return { port: port?.number, hosts };
  });
}

/** `~/*` imports nothing, and so leaves no host. */
function importsNothing({ node }: Field): boolean {
  return node?.kind === 'list' && node.items.some((item) => item.kind === 'scalar' && item.value === '~/*');
}

/** A host that stands beside its namespace's wildcard says nothing more. */
function warnCovered(field: Field, hosts: readonly EgressHost[]): void {
  const whole = hosts.filter(({ host, excluded }) => host === '*' && !excluded).map(({ namespace }) => namespace);
  for (const { namespace, host, excluded } of hosts) {
    if (host === '*' || excluded || !whole.includes(namespace)) continue;
    field.warning('duplicate', `${namespace}/${host} is imported by ${namespace}/* already`, 'remove one');
  }
}

/** `namespace/host`; `*` any namespace, `.` its own, `~namespace` or `~` before a host leave out. */
function egressHost(field: Field, context: Context): EgressHost | undefined {
  const written = requiredText(field);
  const slash = written.indexOf('/');
  if (slash < 0) {
    if (written !== '')
      field.error('bad-host', `"${shorten(written)}" names no namespace`, `write ./${shorten(written)} or */${shorten(written)}`);
    return undefined;
  }
  const [from, name] = [written.slice(0, slash), written.slice(slash + 1)];
  const host = parseHostname(name);
  if (host === undefined || /^\*[^.]/.test(host) || (host !== '*' && !host.includes('.'))) {
    field.error('bad-host', `"${shorten(name)}" is no host name`, 'a whole host name, *.example.com or "*"');
    return undefined;
  }
  if (from === '~') return host === '*' ? undefined : { namespace: '*', host, excluded: true };
  const excluded = from.startsWith('~');
  const named = excluded ? from.slice(1) : from;
  if (named !== '*' && named !== '.' && !isNamespaceName(named)) {
    field.error('bad-namespace', `"${shorten(named)}" is no namespace`, 'write namespace/host, ./host or */host');
    return undefined;
  }
  return { namespace: named === '.' ? context.meta.namespace : named, host, excluded };
}
