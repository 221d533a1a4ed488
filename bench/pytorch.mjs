/** The PyTorch process of a measurement. A part of against-pytorch and matrix-rate. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** `ask(request)` resolves with the answer to it; one at a time. */
export function openPyTorch(python) {
  const script = fileURLToPath(new URL('./against-pytorch.py', import.meta.url))
  const child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(request) {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error(`${python} ended: does it have torch and numpy (training/requirements.txt)?`)
      return JSON.parse(value)
    },
    close: () => child.stdin.end(),
  }
}
