import type { CaptureMode } from './running-mesh.ts';

/**
 * Runs a suite in both capture modes. Network namespaces need root on Linux: elsewhere that half is skipped by name, and
 * with CI set it fails instead.
 */
export function inBothCaptureModes(title: string, suite: (capture: CaptureMode) => void): void {
  for (const capture of ['explicit', 'netns'] as const) {
    describe(`${title} (capture ${capture})`, function () {
      this.timeout(120_000);
      if (capture === 'netns') {
        before('network namespaces need root on Linux', function () {
          if (process.platform === 'linux' && process.getuid?.() === 0) return;
          if (process.env['CI'] !== undefined) throw new Error('network namespaces need root on Linux');
          this.skip();
        });
      }
      suite(capture);
    });
  }
}
