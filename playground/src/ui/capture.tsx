/** Ways in for a picture or sound: chosen, dropped, pasted, recorded, photographed. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ProblemError } from '../api/client.ts'
import { clock } from '../logic/words.ts'
import { canCapture, capture, type Recording, record } from '../media/recorder.ts'
import { asProblem } from './hooks.ts'
import { ProblemNote } from './problem.tsx'

type Take = (files: File[]) => void

export function FileButton({
  label,
  onFiles,
  multiple = false,
  accept = 'image/*,audio/*',
}: {
  label: string
  onFiles: Take
  multiple?: boolean
  accept?: string
}) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <button type="button" onClick={() => input.current!.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        multiple={multiple}
        accept={accept}
        onChange={({ currentTarget }) => {
          onFiles([...(currentTarget.files ?? [])])
          currentTarget.value = '' // the same file again is a choice, too
        }}
      />
    </>
  )
}

/** Files dropped anywhere on the page, or pasted. @returns whether some are being held over it */
export function useDrop(onFiles: Take): boolean {
  const [isOver, setOver] = useState(false)
  const take = useRef(onFiles)
  take.current = onFiles
  useEffect(() => {
    const listen = new AbortController()
    const on = <K extends keyof DocumentEventMap>(type: K, act: (event: DocumentEventMap[K]) => void) =>
      document.addEventListener(type, act, { signal: listen.signal })
    on('dragover', (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      setOver(true)
    })
    on('dragleave', (event) => event.relatedTarget === null && setOver(false))
    on('drop', (event) => {
      event.preventDefault()
      setOver(false)
      const files = [...(event.dataTransfer?.files ?? [])]
      if (files.length > 0) take.current(files)
    })
    on('paste', (event) => {
      const files = [...(event.clipboardData?.files ?? [])]
      if (files.length > 0) take.current(files)
    })
    return () => listen.abort()
  }, [])
  return isOver
}

/** Microphone and camera; says why where they cannot be had. */
export function CaptureButtons({
  onFiles,
  sound = true,
  picture = true,
}: {
  onFiles: Take
  sound?: boolean
  picture?: boolean
}) {
  const [error, setError] = useState<ProblemError>()
  if (!canCapture()) return null
  const failed = (problem: unknown) => setError(problem === undefined ? undefined : asProblem(problem))
  return (
    <>
      {sound && <RecordButton onFiles={onFiles} onError={failed} />}
      {picture && <CameraButton onFiles={onFiles} onError={failed} />}
      {error && <ProblemNote error={error} />}
    </>
  )
}

type CaptureProps = { onFiles: Take; onError(error: unknown): void }

function RecordButton({ onFiles, onError }: CaptureProps) {
  const recording = useRef<Recording | undefined>(undefined)
  const [seconds, setSeconds] = useState<number>()
  const meter = useRef<HTMLSpanElement>(null)
  useEffect(() => () => recording.current?.cancel(), [])
  const start = async () => {
    onError(undefined)
    setSeconds(0)
    try {
      recording.current = await record((now, level) => {
        setSeconds(Math.floor(now))
        meter.current?.style.setProperty('--level', String(Math.min(1, level * 1.5)))
      })
    } catch (error) {
      setSeconds(undefined)
      onError(error)
    }
  }
  const stop = () => {
    const file = recording.current?.stop()
    recording.current = undefined
    setSeconds(undefined)
    if (file) onFiles([file])
  }
  if (seconds === undefined) {
    return (
      <button type="button" onClick={start}>
        Record a sound
      </button>
    )
  }
  return (
    <button type="button" class="recording" onClick={stop}>
      <span ref={meter} class="meter" aria-hidden="true" /> Stop recording <span class="time">{clock(seconds)}</span>
    </button>
  )
}

function CameraButton({ onFiles, onError }: CaptureProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const video = useRef<HTMLVideoElement>(null)
  const stream = useRef<MediaStream | undefined>(undefined)
  const close = () => {
    for (const track of stream.current?.getTracks() ?? []) track.stop()
    stream.current = undefined
  }
  useEffect(() => close, [])
  const open = async () => {
    onError(undefined)
    try {
      stream.current = await capture({ video: true })
      video.current!.srcObject = stream.current
      dialog.current!.showModal()
    } catch (error) {
      onError(error)
    }
  }
  const shoot = () => {
    const { videoWidth: width, videoHeight: height } = video.current!
    const canvas = Object.assign(document.createElement('canvas'), { width, height })
    canvas.getContext('2d')!.drawImage(video.current!, 0, 0)
    canvas.toBlob((blob) => {
      dialog.current!.close()
      if (blob) onFiles([new File([blob], 'photo.png', { type: 'image/png' })])
    }, 'image/png')
  }
  return (
    <>
      <button type="button" onClick={open}>
        Take a picture
      </button>
      <dialog ref={dialog} aria-label="Camera" onClose={close}>
        <video ref={video} autoplay playsInline muted />
        <div class="row">
          <button type="button" class="primary" onClick={shoot}>
            Take the picture
          </button>
          <button type="button" onClick={() => dialog.current!.close()}>
            Cancel
          </button>
        </div>
      </dialog>
    </>
  )
}
