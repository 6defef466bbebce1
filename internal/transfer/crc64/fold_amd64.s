#include "textflag.h"

// FOLD moves a lane over the 16 bytes at off(SI).
#define FOLD(off, lane) \
	MOVOU off(SI), X9 \
	MOVO lane, X10 \
	PCLMULQDQ $0x00, X8, lane \
	PCLMULQDQ $0x11, X8, X10 \
	PXOR X9, lane \
	PXOR X10, lane

// func fold(lanes *[blockSize]byte, p []byte, distance *[2]uint64)
TEXT ·fold(SB), NOSPLIT, $0-40
	MOVQ lanes+0(FP), DI
	MOVQ p_base+8(FP), SI
	MOVQ p_len+16(FP), CX
	MOVQ distance+32(FP), AX
	MOVOU (AX), X8
	MOVOU 0(DI), X0
	MOVOU 16(DI), X1
	MOVOU 32(DI), X2
	MOVOU 48(DI), X3
	MOVOU 64(DI), X4
	MOVOU 80(DI), X5
	MOVOU 96(DI), X6
	MOVOU 112(DI), X7

next:
	FOLD(0, X0)
	FOLD(16, X1)
	FOLD(32, X2)
	FOLD(48, X3)
	FOLD(64, X4)
	FOLD(80, X5)
	FOLD(96, X6)
	FOLD(112, X7)
	ADDQ $128, SI
	SUBQ $128, CX
	JNZ  next

	MOVOU X0, 0(DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	MOVOU X4, 64(DI)
	MOVOU X5, 80(DI)
	MOVOU X6, 96(DI)
	MOVOU X7, 112(DI)
	RET
