module pabal

go 1.26.0
