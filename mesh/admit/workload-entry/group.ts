import { type Field, fieldsOf, itemsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { integer, port, requiredText, text, textMap, texts } from '../scalar.ts';

const LABEL = /^([A-Za-z0-9.-]{1,253}\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const HEADER = /^[-_A-Za-z0-9]+$/;

/** Checks a WorkloadGroup: what the WorkloadEntries made from it will say. It reaches no proxy itself. */
export function checkWorkloadGroup(spec: Field): void {
  const fields = fieldsOf(spec, ['metadata', 'template', 'probe']);
  if (!spec.given) spec.error('missing-field', 'must be given', 'as spec: {template: {serviceAccount: vm}}');
  if (!fields.template.given) fields.template.error('missing-field', 'must be given', 'as template: {serviceAccount: vm}');
  const { labels, annotations } = fieldsOf(fields.metadata, ['labels', 'annotations']);
  for (const [name, value] of Object.entries(textMap(labels))) {
    if (!LABEL.test(name)) labels.error('bad-name', `"${shorten(name)}" is no label`, 'letters, digits, "-", "_" and "."');
    if (!VALUE.test(value))
      labels.error('bad-name', `"${shorten(value)}" is no value of a label`, 'letters, digits, "-", "_" and "."');
  }
  textMap(annotations);
  fieldsOf(fields.template, ['address', 'ports', 'labels', 'network', 'locality', 'weight', 'serviceAccount']);
  checkProbe(fields.probe);
}

function checkProbe(field: Field): void {
  if (!field.given) return;
  const fields = fieldsOf(field, [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
    'httpGet',
    'tcpSocket',
    'exec',
    'grpc',
  ]);
  for (const one of [
    fields.initialDelaySeconds,
    fields.timeoutSeconds,
    fields.periodSeconds,
    fields.successThreshold,
    fields.failureThreshold,
  ])
    integer(one, 0, 2_147_483_647);
  const http = fieldsOf(fields.httpGet, ['path', 'port', 'host', 'scheme', 'httpHeaders']);
  if (fields.httpGet.given && port(http.port) === undefined && !http.port.given)
    http.port.error('missing-field', 'must be given', 'as port: 8080');
  for (const one of [http.path, http.host, http.scheme]) text(one);
  for (const item of itemsOf(http.httpHeaders)) {
    const header = fieldsOf(item, ['name', 'value']);
    const name = requiredText(header.name);
    text(header.value);
    if (name !== '' && !HEADER.test(name)) header.name.error('bad-header', `"${shorten(name)}" is no header name`);
  }
  const tcp = fieldsOf(fields.tcpSocket, ['host', 'port']);
  text(tcp.host);
  if (fields.tcpSocket.given && port(tcp.port) === undefined && !tcp.port.given)
    tcp.port.error('missing-field', 'must be given', 'as port: 8080');
  const { command } = fieldsOf(fields.exec, ['command']);
  if (fields.exec.given && texts(command).length === 0)
    command.error('missing-field', 'must name a command', 'as command: [test, -f, /run/ready]');
  const grpc = fieldsOf(fields.grpc, ['port', 'service']);
  port(grpc.port);
  text(grpc.service);
}
