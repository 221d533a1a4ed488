/** The microphone to a WAV file: the one format of recorders that every service version takes. */
import { wavOf } from '../logic/sound.ts'

export interface Recording {
  stop(): File
  cancel(): void
}

/** Microphone and camera are given to pages by https and on this machine only. */
export const canCapture = (): boolean => navigator.mediaDevices?.getUserMedia !== undefined

/**
 * @param onBlock told of the seconds so far and the loudness of the last block, 0 to 1
 * @throws Error with a sentence for the reader
 */
export async function record(onBlock: (seconds: number, level: number) => void): Promise<Recording> {
  const stream = await capture({ audio: true })
  const context = new AudioContext()
  try {
    await context.audioWorklet.addModule(new URL('./recorder-worklet.js', import.meta.url))
  } catch (error) {
    release(stream, context)
    throw error
  }
  const blocks: Float32Array[] = []
  let samples = 0
  const node = new AudioWorkletNode(context, 'recorder', { numberOfOutputs: 0 })
  node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
    blocks.push(data)
    samples += data.length
    onBlock(samples / context.sampleRate, Math.max(...data.map(Math.abs)))
  }
  context.createMediaStreamSource(stream).connect(node)
  return {
    stop: () => {
      const wav = wavOf(blocks, context.sampleRate)
      release(stream, context)
      return new File([wav], 'recording.wav', { type: 'audio/wav' })
    },
    cancel: () => release(stream, context),
  }
}

/** @throws Error with a sentence for the reader */
export async function capture(wanted: MediaStreamConstraints): Promise<MediaStream> {
  const what = wanted.video ? 'camera' : 'microphone'
  try {
    return await navigator.mediaDevices.getUserMedia(wanted)
  } catch (error) {
    const { name } = error as DOMException
    if (name === 'NotFoundError') throw new Error(`This device has no ${what}.`)
    if (name === 'NotAllowedError')
      throw new Error(`The ${what} is not allowed here; the browser's site settings say why.`)
    throw new Error(`The ${what} cannot be used: another program may hold it.`)
  }
}

function release(stream: MediaStream, context: AudioContext): void {
  for (const track of stream.getTracks()) track.stop()
  void context.close()
}
