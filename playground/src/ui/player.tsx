/** A sound with its waveform; the waveform is a slider. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { peaksOf } from '../logic/sound.ts'
import { clock } from '../logic/words.ts'
import { useBytes, useObjectUrl, useSeen } from './hooks.ts'

const BARS = 56
/** Longer files are played without being drawn: decoded they would take too much memory. */
const MAX_DRAWN_BYTES = 16e6
const DRAWN_RATE_HZ = 8000

interface PlayerProps {
  file: Blob | undefined
  name: string
  /** Where it begins to play, and what is marked, in seconds. */
  segment?: { startS: number; endS: number } | undefined
}

export function Player({ file, name, segment }: PlayerProps) {
  const audio = useRef<HTMLAudioElement>(null)
  const url = useObjectUrl(file)
  const peaks = usePeaks(file)
  const [isPlaying, setPlaying] = useState(false)
  const [failure, setFailure] = useState('')
  const [at, setAt] = useState(segment?.startS ?? 0)
  const [length, setLength] = useState(0)
  const seek = (seconds: number) => {
    audio.current!.currentTime = seconds
    setAt(seconds)
  }
  const toggle = () => {
    if (isPlaying) return audio.current!.pause()
    if (audio.current!.currentTime === 0 && segment) seek(segment.startS)
    audio.current!.play().catch(() => setFailure('This browser cannot play the sound.'))
  }
  return (
    <div class="player">
      {/* biome-ignore lint/a11y/useMediaCaption: sounds of strangers have none */}
      <audio
        ref={audio}
        src={url}
        preload="metadata"
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setPlaying(false)}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onDurationChange={({ currentTarget: { duration } }) => setLength(Number.isFinite(duration) ? duration : 0)}
      />
      <button
        type="button"
        class="round"
        disabled={!url}
        aria-label={`${isPlaying ? 'Pause' : 'Play'} ${name}`}
        onClick={toggle}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          {isPlaying ? <path d="M4 3h3v10H4zM9 3h3v10H9z" /> : <path d="M5 2.5v11l8.5-5.5z" />}
        </svg>
      </button>
      <div class="wave">
        <Bars peaks={peaks} share={length > 0 ? at / length : 0} segment={segment} length={length} />
        <input
          type="range"
          min={0}
          max={Math.max(length, 0.01)}
          step={0.01}
          value={at}
          disabled={length === 0}
          aria-label={`Position in ${name}`}
          aria-valuetext={`${clock(at)} of ${clock(length)}`}
          onInput={(event) => seek(Number(event.currentTarget.value))}
        />
      </div>
      <span class="time">{failure || clock(length)}</span>
    </div>
  )
}

function Bars({
  peaks,
  share,
  segment,
  length,
}: { peaks: number[] | undefined; share: number; length: number } & Pick<PlayerProps, 'segment'>) {
  const heights = peaks ?? Array.from({ length: BARS }, () => 0)
  return (
    <svg viewBox={`0 0 ${BARS * 4} 40`} preserveAspectRatio="none" aria-hidden="true">
      {segment && length > 0 && (
        <rect
          class="marked"
          x={(segment.startS / length) * BARS * 4}
          width={((Math.min(segment.endS, length) - segment.startS) / length) * BARS * 4}
          height={40}
        />
      )}
      {heights.map((height, i) => {
        const tall = Math.max(2, height * 38)
        const isPast = i / BARS < share
        return (
          <rect key={i} class={isPast ? 'past' : ''} x={i * 4} y={20 - tall / 2} width={2.4} height={tall} rx={1.2} />
        )
      })}
    </svg>
  )
}

function usePeaks(file: Blob | undefined): number[] | undefined {
  const [peaks, setPeaks] = useState<number[]>()
  useEffect(() => {
    if (!file || file.size > MAX_DRAWN_BYTES) return
    let isWanted = true
    file
      .arrayBuffer()
      .then((bytes) => new OfflineAudioContext(1, 1, DRAWN_RATE_HZ).decodeAudioData(bytes))
      .then((decoded) => isWanted && setPeaks(peaksOf(decoded.getChannelData(0), BARS)))
      .catch(() => {}) // the flat line says it: a browser that cannot decode it cannot play it either, and says so then
    return () => {
      isWanted = false
    }
  }, [file])
  return peaks
}

/** A sound of the API, fetched when it comes into view. */
export function StoredPlayer({ mediaUrl, ...more }: { mediaUrl: string } & Omit<PlayerProps, 'file'>) {
  const frame = useRef<HTMLDivElement>(null)
  const seen = useSeen(frame)
  const { blob, failed } = useBytes(seen ? mediaUrl : undefined)
  return (
    <div ref={frame} class="stored-player">
      {failed ? <p class="small">{failed.message}</p> : <Player file={blob} {...more} />}
    </div>
  )
}
