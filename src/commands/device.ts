/** What `ONEPEACE_DEVICE` asks for must be there: said at the start, not with the first request. */
import { ConfigError, type Device } from '../config.ts'

/** @throws ConfigError */
export async function assertDevice(device: Device): Promise<void> {
  if (device === 'cpu') return
  const { tryProvider } = await import('../encoder/onnx-session.ts')
  try {
    await tryProvider(device)
  } catch (error) {
    throw new ConfigError(
      `ONEPEACE_DEVICE=${device} cannot be used here: ${(error as Error).message}. It needs an NVIDIA driver, CUDA 12 and cuDNN 9, and ` +
        'onnxruntime-node installed with ONNXRUNTIME_NODE_INSTALL=cuda12, as Dockerfile.encoder does; ONEPEACE_DEVICE=cpu needs none of it.',
    )
  }
}
