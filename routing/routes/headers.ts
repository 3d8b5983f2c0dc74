import { create } from '@bufbuild/protobuf';
import {
  type HeaderValueOption,
  HeaderValueOption_HeaderAppendAction,
  HeaderValueOptionSchema,
} from '#gen/envoy/config/core/v3/base_pb.js';
import type { HeaderOperations, Headers } from '../../mesh/model/virtual-service.ts';

/** What a route, and likewise one of its weighted clusters, does to headers. */
export interface HeaderEdits {
  readonly requestHeadersToAdd: HeaderValueOption[];
  readonly requestHeadersToRemove: string[];
  readonly responseHeadersToAdd: HeaderValueOption[];
  readonly responseHeadersToRemove: string[];
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === ':authority' || lower === 'host';
}

/** Pseudo-headers cannot be edited as headers; the authority has a way of its own (`authorityOf`). */
const editable = (name: string) => !name.startsWith(':') && !isAuthority(name);

/** Envoy's commands (`%REQ(x)%`) stay; any other `%` is text, and would otherwise make Envoy refuse the whole configuration. */
function escaped(value: string): string {
  return value.replaceAll(/%[A-Z][A-Z0-9_]*(?:\([^)]*\))?(?::[0-9]+)?%|%%|%/g, (found) => (found === '%' ? '%%' : found));
}

function option(key: string, value: string, appendAction: HeaderValueOption_HeaderAppendAction): HeaderValueOption {
  return create(HeaderValueOptionSchema, { header: { key, value: escaped(value) }, appendAction, keepEmptyValue: value === '' });
}

function additions(operations: HeaderOperations | undefined): HeaderValueOption[] {
  if (operations === undefined) return [];
  const { OVERWRITE_IF_EXISTS_OR_ADD, APPEND_IF_EXISTS_OR_ADD } = HeaderValueOption_HeaderAppendAction;
  const edit = (entries: Readonly<Record<string, string>>, action: HeaderValueOption_HeaderAppendAction) =>
    Object.entries(entries)
      .filter(([name]) => editable(name))
      .map(([name, value]) => option(name, value, action));
  return [...edit(operations.set, OVERWRITE_IF_EXISTS_OR_ADD), ...edit(operations.add, APPEND_IF_EXISTS_OR_ADD)];
}

/** The edits of several levels, outer first, in one list. */
export function headerEdits(levels: readonly (Headers | undefined)[]): HeaderEdits {
  return {
    requestHeadersToAdd: levels.flatMap((level) => additions(level?.request)),
    requestHeadersToRemove: levels.flatMap((level) => (level?.request.remove ?? []).filter(editable)),
    responseHeadersToAdd: levels.flatMap((level) => additions(level?.response)),
    responseHeadersToRemove: levels.flatMap((level) => (level?.response.remove ?? []).filter(editable)),
  };
}

/** The host that a request is sent on with, where a header operation sets it. */
export function authorityOf(headers: Headers | undefined): string | undefined {
  return Object.entries(headers?.request.set ?? {}).find(([name]) => isAuthority(name))?.[1];
}
