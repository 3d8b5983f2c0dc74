import { HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes } from '#gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js';
import type { PathNormalization } from '../../mesh/model/mesh-config.ts';

interface Normalization {
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly pathWithEscapedSlashesAction: EscapedSlashes;
}

/**
 * How a path is brought to one form before policy and routes see it. Every listener does the same, so that a caller's route
 * and the server's policy cannot disagree about a path.
 */
export function pathNormalization(mode: PathNormalization): Normalization {
  switch (mode) {
    case 'NONE':
      return { normalizePath: false, mergeSlashes: false, pathWithEscapedSlashesAction: EscapedSlashes.KEEP_UNCHANGED };
    case 'BASE':
      return { normalizePath: true, mergeSlashes: false, pathWithEscapedSlashesAction: EscapedSlashes.KEEP_UNCHANGED };
    case 'MERGE_SLASHES':
      return { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: EscapedSlashes.KEEP_UNCHANGED };
    case 'DECODE_AND_MERGE_SLASHES':
      return { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: EscapedSlashes.UNESCAPE_AND_FORWARD };
    default:
      return mode satisfies never;
  }
}
