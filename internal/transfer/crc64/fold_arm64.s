#include "textflag.h"

// FOLD moves a lane over the 16 bytes in V9.
#define FOLD(next, lane) \
	VPMULL  lane.D1, V8.D1, V10.Q1 \
	VPMULL2 lane.D2, V8.D2, V11.Q1 \
	VEOR    next.B16, V10.B16, V10.B16 \
	VEOR    V10.B16, V11.B16, lane.B16

// func fold(lanes *[blockSize]byte, p []byte, distance *[2]uint64)
TEXT ·fold(SB), NOSPLIT, $0-40
	MOVD lanes+0(FP), R0
	MOVD p_base+8(FP), R1
	MOVD p_len+16(FP), R2
	MOVD distance+32(FP), R3
	MOVD R0, R4
	VLD1 (R3), [V8.B16]
	VLD1.P 64(R4), [V0.B16, V1.B16, V2.B16, V3.B16]
	VLD1 (R4), [V4.B16, V5.B16, V6.B16, V7.B16]

next:
	VLD1.P 64(R1), [V16.B16, V17.B16, V18.B16, V19.B16]
	VLD1.P 64(R1), [V20.B16, V21.B16, V22.B16, V23.B16]
	FOLD(V16, V0)
	FOLD(V17, V1)
	FOLD(V18, V2)
	FOLD(V19, V3)
	FOLD(V20, V4)
	FOLD(V21, V5)
	FOLD(V22, V6)
	FOLD(V23, V7)
	SUBS $128, R2, R2
	BNE  next

	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0)
	VST1 [V4.B16, V5.B16, V6.B16, V7.B16], (R0)
	RET
