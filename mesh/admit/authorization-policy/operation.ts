import type { Operation } from '../../model/authorization-policy.ts';
import { type Field, fieldsOf } from '../field.ts';
import { shorten } from '../node.ts';
import { pathPattern } from './path-template.ts';
import { condition, pattern, type ReadItem } from './pattern.ts';

const KNOWN = ['hosts', 'notHosts', 'ports', 'notPorts', 'methods', 'notMethods', 'paths', 'notPaths'] as const;

/** One entry of `to`. An entry that says nothing is an error: it would match every request. */
export function operation(entry: Field): Operation {
  const field = fieldsOf(entry, ['operation']).operation;
  if (!field.given) entry.error('missing-field', 'operation must be given', 'as operation: {methods: ["GET"]}');
  const fields = fieldsOf(field, KNOWN);
  if (field.given && !KNOWN.some((name) => fields[name].given) && !field.report.failed) {
    field.error('missing-field', 'operation names nothing', 'name hosts, ports, methods or paths');
  }
  return {
    hosts: condition(fields.hosts, fields.notHosts, pattern),
    ports: condition(fields.ports, fields.notPorts, portNumber),
    methods: condition(fields.methods, fields.notMethods, pattern),
    paths: condition(fields.paths, fields.notPaths, pathPattern),
  };
}

/** A port in a list of texts, as the CRD has it. */
export const portNumber: ReadItem<number> = (item, written) => {
  const value = /^\d{1,5}$/.test(written) ? Number(written) : 0;
  if (value >= 1 && value <= 65535) return value;
  item.error('out-of-range', `"${shorten(written)}" is no port`, 'use a number from 1 to 65535, in quotes');
  return undefined;
};
