import { expect, it } from 'vitest'
import { assertDevice } from '../../../src/commands/device.ts'
import { loadConfig } from '../../../src/config.ts'
import { tryProvider } from '../../../src/encoder/onnx-session.ts'

it('takes cpu and cuda as devices, and no other', () => {
  expect(loadConfig({}, {}).device).toBe('cpu')
  expect(loadConfig({}, { ONEPEACE_DEVICE: 'cuda' }).device).toBe('cuda')
  expect(() => loadConfig({}, { ONEPEACE_DEVICE: 'gpu' })).toThrow("ONEPEACE_DEVICE must be cpu or cuda, not 'gpu'.")
})

it('finds out by opening a graph whether a provider is there', async () => {
  await expect(tryProvider('cpu')).resolves.toBeUndefined()
  await expect(assertDevice('cpu')).resolves.toBeUndefined()
})

// Where CUDA is installed there is nothing to refuse.
const hasCuda = await tryProvider('cuda').then(
  () => true,
  () => false,
)
it.skipIf(hasCuda)('says at the start what a device that is not there would need', async () => {
  await expect(assertDevice('cuda')).rejects.toThrow(
    /ONEPEACE_DEVICE=cuda cannot be used here.*ONNXRUNTIME_NODE_INSTALL=cuda12/,
  )
})
